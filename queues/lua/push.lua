-- Part of other scripts: put jobs on their queues and wake a worker.
-- cost     per job RPUSH or LPUSH; once a call RPUSH bell, since a claim that leaves jobs behind rings again, and
--          SADD per queue that is made known to RQ's tools

local has_rung = false

local function ring()
  if not has_rung then redis.call('RPUSH', 'clianta:doorbell', '1') end
  has_rung = true
end

local known = {}

local function register(queue)
  if not known[queue] then redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue) end
  known[queue] = true
end

local function push(job, queue, at_front)
  ring()
  redis.call(at_front and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, job)
end

-- A job that waited for its turn (for another job, or for a batch) has it now.
local function make_ready(job, queue, at, at_front)
  local hash = 'rq:job:' .. job
  redis.call('HSET', hash, 'status', 'queued', 'enqueued_at', at)
  redis.call('PERSIST', hash)
  push(job, queue, at_front)
end
