-- Tell those who wait for a job that it has ended. For RQ's own way of ending jobs: it stands in RQ's transaction.
--
-- ARGV[1]  job id     ARGV[2]  'finished', or 'failed' when it is a dead letter     ARGV[3]  when, as RQ writes times
-- cost     HMGET, SMEMBERS, and what settle.lua says

-- include settle

local job, outcome, at = ARGV[1], ARGV[2], ARGV[3]
local queue, batches, webhook = unpack(redis.call('HMGET', 'rq:job:' .. job, 'origin', 'batch', 'webhook'))
settle(job, outcome, at, queue, batches, webhook)
refill_from_lanes() -- stock workers take from the lists only
