-- A run of a job has failed: park it for its next try, or lay it with the dead letters; leaves the keys that RQ's
-- worker leaves.
--
-- ARGV[1]  job id          ARGV[2]  execution id          ARGV[3]  its queue
-- ARGV[4]  worker's name   ARGV[5]  '1' when the execution was shown: a heartbeat has written its record
-- ARGV[6]  started at, ARGV[7] ended at, as RQ writes times
-- ARGV[8]  'retry', 'failed', or 'stopped': somebody asked to stop it
-- ARGV[9]  of a retry the Unix time at which it is due, or 0 = at once; else that at which the dead letter lapses
-- ARGV[10] seconds to keep a dead letter; -1 = for ever        ARGV[11] retries left
-- ARGV[12…] fields and values: of a dead letter's result entry; of a retry's hash
-- returns  1 done; 0 not ours any more (its lock had lapsed, or this call was repeated)
-- cost     ZREM, DEL, SREM, HMGET, HSET, HDEL; a retry ZADD and ZRANGE, or push; a dead letter XADD, 2 EXPIRE,
--          ZADD, and what settle.lua says

-- include settle
-- include release
-- include delay

local job, queue, ended_at, outcome, keep = ARGV[1], ARGV[3], ARGV[7], ARGV[8], tonumber(ARGV[10])
local hash, results = 'rq:job:' .. job, 'rq:results:' .. job

if not release(job, ARGV[2], queue, ARGV[4], ARGV[5] == '1') then return 0 end
local is_there, batches, webhook, at_front = unpack(redis.call('HMGET', hash, 'origin', 'batch', 'webhook',
  'enqueue_at_front_on_retry'))
if not is_there then return 1 end -- deleted while it ran

local function record(status, ...)
  redis.call('HSET', hash, 'status', status, 'started_at', ARGV[6], 'ended_at', ended_at, 'last_heartbeat', ended_at,
    'retries_left', ARGV[11], ...)
  redis.call('HDEL', hash, 'stalls') -- it failed, and its worker lives: it is no suspect
end

local function bury()
  record(outcome)
  redis.call('XADD', results, 'MAXLEN', 10, '*', unpack(ARGV, 12))
  if keep >= 0 then
    redis.call('EXPIRE', hash, keep)
    redis.call('EXPIRE', results, keep)
  end
  redis.call('ZADD', 'rq:failed:' .. queue, ARGV[9], job)
  settle(job, 'failed', ended_at, queue, batches, webhook)
end

if outcome ~= 'retry' then
  bury()
elseif tonumber(ARGV[9]) > 0 then
  record('scheduled', unpack(ARGV, 12))
  delay(job, queue, ARGV[9])
else
  record('queued', 'enqueued_at', ended_at, unpack(ARGV, 12))
  push(job, queue, at_front == '1')
end
return 1
