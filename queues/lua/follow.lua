-- Tell Redis' time; and mend what waits for a time that is further away since Redis' clock was set back: the locks of
-- workers that died, which nobody renews, and retries. A delayed job waits for the time of day that it was given.
--
-- ARGV     the queues
-- returns  {seconds, microseconds}, as TIME does
-- cost     TIME, GET, SET; once the clock was set back DEL, and per queue 2 ZRANGE and a ZADD per lock, an HGET per job
--          that is due soon and a ZADD per retry

local SET_BACK = 1 -- seconds from which on it was: clocks are also slewed
local SOON = 600 -- seconds that a retry waits at most, unless a vendor has asked for more
local MOST = 5000 -- jobs per queue that are looked at: bounds the time of the call

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local seen = tonumber(redis.call('GET', 'clianta:clock') or '0')
redis.pcall('SET', 'clianta:clock', string.format('%.6f', now)) -- a full Redis refuses it

local function move(key, member, score)
  redis.call('ZADD', key, 'XX', string.format('%.6f', tonumber(score) - (seen - now)), member)
end

local function move_locks(running)
  local found = redis.call('ZRANGE', running, 0, -1, 'WITHSCORES')
  for i = 1, #found, 2 do move(running, found[i], found[i + 1]) end
end

local function move_retries(delayed)
  local found = redis.call('ZRANGEBYSCORE', delayed, '-inf', seen + SOON, 'WITHSCORES', 'LIMIT', 0, MOST)
  for i = 1, #found, 2 do
    local has_run = (redis.call('HGET', 'rq:job:' .. found[i], 'ended_at') or '') ~= ''
    if has_run then move(delayed, found[i], found[i + 1]) end
  end
end

if seen - now > SET_BACK then
  redis.call('DEL', 'clianta:trimmed') -- it would be in force for longer
  for _, queue in ipairs(ARGV) do
    move_locks('rq:wip:' .. queue)
    move_retries('rq:scheduled:' .. queue)
  end
end
return time
