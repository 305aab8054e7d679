-- Finish a job that succeeded: result, status, registry; leaves the keys that RQ's worker leaves.
--
-- ARGV[1]  job id          ARGV[2]  execution id          ARGV[3]  its queue
-- ARGV[4]  worker's name   ARGV[5]  '1' when the execution was shown: a heartbeat has written its record
-- ARGV[6]  started at, ARGV[7] ended at, as RQ writes times
-- ARGV[8]  seconds to keep the result; -1 = for ever     ARGV[9]  Unix time at which it lapses
-- ARGV[10…] fields and values of the result entry
-- returns  1 finished; 0 not ours any more (its lock had lapsed, or this call was repeated)
-- cost     EXISTS, ZREM, HMGET, HSET, XADD, 2 EXPIRE, ZADD; when it was shown DEL and SREM; and what
--          settle.lua says when others wait for the job

-- include release

-- The include stands within the function: its many functions are made only when somebody waits for the job, which is
-- rare. At the margin, since scripts.py finds includes there only.
local function settle_for(...)
-- include settle
  settle(...)
end

local job, queue, ended_at, keep = ARGV[1], ARGV[3], ARGV[7], tonumber(ARGV[8])
local hash, results = 'rq:job:' .. job, 'rq:results:' .. job

local is_waited_for = redis.call('EXISTS', hash .. ':dependents') == 1
-- The first write needs no memory, so the job can be finished when Redis is full.
if not release(job, ARGV[2], queue, ARGV[4], ARGV[5] == '1') then return 0 end
local is_there, batches, webhook = unpack(redis.call('HMGET', hash, 'origin', 'batch', 'webhook'))
if keep == 0 or not is_there then
  redis.call('DEL', hash, results) -- not wanted, or deleted while it ran
else
  redis.call('HSET', hash, 'status', 'finished', 'started_at', ARGV[6], 'ended_at', ended_at, 'last_heartbeat', ended_at)
  redis.call('XADD', results, 'MAXLEN', 10, '*', unpack(ARGV, 10))
  if keep > 0 then
    redis.call('EXPIRE', hash, keep)
    redis.call('EXPIRE', results, keep)
  end
  redis.call('ZADD', 'rq:finished:' .. queue, ARGV[9], job)
end
if is_waited_for or batches or webhook then settle_for(job, 'finished', ended_at, queue, batches, webhook) end
return 1
