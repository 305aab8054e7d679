-- Part of other scripts: put jobs on their queues and wake a worker.
-- cost     per job LLEN (with a lane only) and RPUSH or LPUSH; once a call RPUSH bell, since a claim that leaves jobs behind rings again, and
--          SADD per queue that is made known to RQ's tools

-- include lanes

local has_rung = false

-- `news`: what a worker of the frugal profile need not look for: "<due> <queue>" of a delayed job.
local function ring(news)
  if not has_rung then redis.call('RPUSH', 'clianta:doorbell', news or '1') end
  has_rung = true
end

local known = {}

local function register(queue)
  if not known[queue] then redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue) end
  known[queue] = true
end

-- `lane`: that of a new job, '' = none has a name; nil for one that has waited already.
local function push(job, queue, at_front, lane)
  ring()
  if at_front then
    redis.call('LPUSH', 'rq:queue:' .. queue, job)
  elseif not (lane and joins_lane(job, queue, lane)) then
    redis.call('RPUSH', 'rq:queue:' .. queue, job)
  end
end

-- A job that waited for its turn (for another job, or for a batch) has it now.
local function make_ready(job, queue, at, at_front)
  local hash = 'rq:job:' .. job
  redis.call('HSET', hash, 'status', 'queued', 'enqueued_at', at)
  redis.call('PERSIST', hash)
  push(job, queue, at_front)
end
