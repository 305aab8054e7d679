-- Renew the locks of running jobs.
--
-- ARGV[1]  now, Unix time     ARGV[2]  now, as RQ writes times     ARGV[3]  lock: seconds to renew for
-- ARGV[4…] per job: job id, execution id, rq:wip: of its queue
-- returns  per job 1, or 0 when it is not ours any more: its lock had lapsed, and somebody else has it
-- cost     per job ZSCORE, EXISTS, 2 HSET, 2 ZADD, 2 EXPIRE

local now, lock = tonumber(ARGV[1]), tonumber(ARGV[3])
local ours = {}
for i = 4, #ARGV, 3 do
  local job, execution, running = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local member = job .. ':' .. execution
  if redis.call('ZSCORE', running, member) then
    -- The first write needs no memory, so locks can be renewed when Redis is full.
    redis.call('EXPIRE', 'rq:execution:' .. member, lock + 60)
    redis.call('ZADD', running, 'XX', now + lock, member)
    redis.call('HSET', 'rq:execution:' .. member, 'last_heartbeat', ARGV[1])
    redis.call('ZADD', 'rq:executions:' .. job, 'XX', math.floor(now + lock + 60), execution)
    redis.call('EXPIRE', 'rq:executions:' .. job, lock + 60)
    if redis.call('EXISTS', 'rq:job:' .. job) == 1 then
      redis.call('HSET', 'rq:job:' .. job, 'last_heartbeat', ARGV[2])
    end
    ours[#ours + 1] = 1
  else
    ours[#ours + 1] = 0
  end
end
return ours
