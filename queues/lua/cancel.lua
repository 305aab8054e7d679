-- Cancel a job that has not started: delayed, waiting on its queue, or waiting for another job. What can never run
-- without it is cancelled too.
--
-- ARGV[1]  job id      ARGV[2]  now, as RQ writes times
-- returns  1, or 0 when there is no such job, or it has started
-- cost     HMGET, ZREM or LREM, HGET, HSET, EXPIRE, ZADD, and what waits for it

-- include settle

local job, at = ARGV[1], ARGV[2]
local status, queue, lane = unpack(redis.call('HMGET', 'rq:job:' .. job, 'status', 'origin', 'lane'))
local removed = 0
if status == 'scheduled' then
  removed = redis.call('ZREM', 'rq:scheduled:' .. queue, job)
elseif status == 'deferred' then
  removed = redis.call('ZREM', 'rq:deferred:' .. queue, job)
elseif status == 'queued' then
  removed = redis.call('LREM', 'rq:queue:' .. queue, 1, job)
  if removed == 0 then removed = leave_lane(job, queue, lane or '') end
end
if removed == 0 then return 0 end
lay_to_rest(job, 'canceled', 'rq:canceled:' .. queue, at)
abandon(job, at)
return 1
