-- Enqueue a chain as chain.lua does, in the frugal profile.
--
-- ARGV     as in chain.lua
-- returns  how many jobs are new; -1 when one runs that nobody waited for when it was taken
-- cost     that of chain.lua and frugal_await.lua; HSET

-- include frugal_await

if not can_all_be_awaited(3) then return -1 end
redis.call('HSET', 'rq:job:' .. ARGV[3], 'awaited', 1) -- the others show that they are part of a chain

-- include chain
