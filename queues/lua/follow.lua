-- Tell Redis' time; and mend what waits for a time that is further away since Redis' clock was set back: the locks of
-- workers that died, which nobody renews, and retries. A delayed job waits for the time of day that it was given.
--
-- ARGV[1]  what the caller thinks that it is, Unix time; 0 = it has not asked before
-- ARGV[2…] the queues
-- returns  {seconds, microseconds}, as TIME does
-- cost     TIME, GET, SET; once the clock was set back DEL, and per queue 2 ZRANGE and a ZADD per lock, an HGET per job
--          that is due soon and a ZADD per retry

local SET_BACK = 1 -- seconds from which on it was: clocks are also slewed
local LOCK = 60 -- seconds: no lock that the caller wrote lasts longer
local SOON = 600 -- seconds that a retry waits at most, unless a vendor has asked for more
local MOST = 5000 -- jobs per queue that are looked at: bounds the time of the call

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local seen = tonumber(redis.call('GET', 'clianta:clock') or '0')
-- Whoever sees it first moves all. Until the others see it they write by the old time, which is told by its distance.
local old, first = seen, '-inf'
if seen - now <= SET_BACK then
  old = tonumber(ARGV[1])
  first = string.format('%.6f', now + math.max(LOCK, old - now - LOCK))
end

local function move(key, member, score)
  redis.call('ZADD', key, 'XX', string.format('%.6f', tonumber(score) - (old - now)), member)
end

local function move_locks(running)
  local found = redis.call('ZRANGEBYSCORE', running, first, '+inf', 'WITHSCORES')
  for i = 1, #found, 2 do move(running, found[i], found[i + 1]) end
end

local function move_retries(delayed)
  local found = redis.call('ZRANGEBYSCORE', delayed, first, old + SOON, 'WITHSCORES', 'LIMIT', 0, MOST)
  for i = 1, #found, 2 do
    local has_run = (redis.call('HGET', 'rq:job:' .. found[i], 'ended_at') or '') ~= ''
    if has_run then move(delayed, found[i], found[i + 1]) end
  end
end

if old - now > SET_BACK then
  redis.call('DEL', 'clianta:trimmed') -- it would be in force for longer; and all writes are allowed after it
  for i = 2, #ARGV do
    move_locks('rq:wip:' .. ARGV[i])
    move_retries('rq:scheduled:' .. ARGV[i])
  end
end
-- A full Redis refuses it, but not when something was moved: that would be moved again.
redis.pcall('SET', 'clianta:clock', string.format('%.6f', now))
return time
