-- Finish a job that succeeded: result, status, registry, counters; leaves the keys that RQ's worker leaves.
--
-- KEYS[1]  rq:wip: of the queue       KEYS[2]  rq:finished: of the queue
-- KEYS[3]  the worker's hash          KEYS[4]  the worker's set of executions
-- ARGV[1]  job id                     ARGV[2]  execution id
-- ARGV[3]  started at, ARGV[4] ended at, as RQ writes times
-- ARGV[5]  seconds the job ran        ARGV[6]  seconds to keep the result; -1 = for ever
-- ARGV[7]  Unix time at which it lapses
-- ARGV[8…] fields and values of the result entry
-- returns  1 finished; 0 not ours any more (its lock had lapsed, or this call was repeated);
-- cost     EXISTS, ZREM, DEL, SREM, 2 counters, HMGET, HSET, XADD, 2 EXPIRE, ZADD; and what settle.lua says when
--          others wait for the job

-- include settle

local job, member = ARGV[1], ARGV[1] .. ':' .. ARGV[2]
local hash, keep = 'rq:job:' .. job, tonumber(ARGV[6])

local is_waited_for = redis.call('EXISTS', hash .. ':dependents') == 1
-- The first write needs no memory, so the job can be finished when Redis is full.
if redis.call('ZREM', KEYS[1], member) == 0 then return 0 end
redis.call('DEL', 'rq:execution:' .. member, 'rq:executions:' .. job)
redis.call('SREM', KEYS[4], member)
redis.call('HINCRBY', KEYS[3], 'successful_job_count', 1)
redis.call('HINCRBYFLOAT', KEYS[3], 'total_working_time', ARGV[5])
local queue, batches, webhook = unpack(redis.call('HMGET', hash, 'origin', 'batch', 'webhook'))
if keep == 0 or not queue then
  redis.call('DEL', hash, 'rq:results:' .. job) -- not wanted, or deleted while it ran
else
  redis.call('HSET', hash, 'status', 'finished', 'started_at', ARGV[3], 'ended_at', ARGV[4], 'last_heartbeat', ARGV[4])
  if keep > 0 then redis.call('EXPIRE', hash, keep) end
  redis.call('XADD', 'rq:results:' .. job, 'MAXLEN', 10, '*', unpack(ARGV, 8))
  if keep > 0 then redis.call('EXPIRE', 'rq:results:' .. job, keep) end
  redis.call('ZADD', KEYS[2], ARGV[7], job)
end
if is_waited_for or batches or webhook then settle(job, 'finished', ARGV[4], queue, batches, webhook) end
return 1
