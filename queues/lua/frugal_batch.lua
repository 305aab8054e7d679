-- Enqueue one part of a batch as batch.lua does, in the frugal profile.
--
-- ARGV     as in batch.lua
-- returns  as batch.lua; -2 when a job runs that nobody waited for when it was taken
-- cost     that of batch.lua and frugal_await.lua

-- include frugal_await

if not can_all_be_awaited(14 + tonumber(ARGV[13])) then return -2 end

-- include batch
