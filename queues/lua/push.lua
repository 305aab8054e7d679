-- Part of other scripts: put a job on its queue and wake a worker.
-- cost     RPUSH bell, RPUSH or LPUSH queue

local DOORBELL = 'clianta:doorbell'

local function push(job, queue, at_front)
  redis.call('RPUSH', DOORBELL, '1')
  redis.call(at_front and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, job)
end

-- A job that waited for its turn (for another job, or for a batch) has it now.
local function make_ready(job, queue, at, at_front)
  local hash = 'rq:job:' .. job
  redis.call('HSET', hash, 'status', 'queued', 'enqueued_at', at)
  redis.call('PERSIST', hash)
  push(job, queue, at_front)
end
