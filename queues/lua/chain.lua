-- Enqueue a chain: each job waits for the one before it, as RQ's dependents do. A job whose id exists is left as
-- it is, so that enqueueing a chain again changes nothing; the next one waits for that.
--
-- ARGV[1]  what happens to the rest when a job becomes a dead letter: 'wait', 'cancel' or 'continue'
-- ARGV[2]  now, as RQ writes times
-- ARGV[3…] per job, in order: id, queue, place ('back' or 'front'), lane or '', n, then n fields and values of its
--          hash
-- returns  how many jobs are new
-- cost     per job 2 HGET, HSET; for the first a push, for each other HSET, ZADD and 2 SADD

-- include settle

local policy, at = ARGV[1], ARGV[2]
local before, state -- the job before, and its status
local new = 0

local function wait_for(parent, job, queue)
  local hash = 'rq:job:' .. job
  redis.call('HSET', hash, 'status', 'deferred', 'on_failure', policy)
  redis.call('ZADD', 'rq:deferred:' .. queue, unix_time(), job)
  redis.call('SADD', 'rq:job:' .. parent .. ':dependents', job)
  redis.call('SADD', dependencies(job), parent)
end

local function place_behind(parent, job, queue)
  wait_for(parent, job, queue)
  if state == 'canceled' or (policy == 'cancel' and state == 'stopped') then
    cancel(job, queue, at)
  elseif state == 'finished' or state == 'failed' or state == 'stopped' then
    go_on(job, parent, state, at)
  end
end

local i = 3
while i <= #ARGV do
  local job, queue, place, lane, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  local hash = 'rq:job:' .. job
  local status = redis.call('HGET', hash, 'status')
  if not status then
    redis.call('HSET', hash, unpack(ARGV, i + 5, i + 4 + n))
    register(queue)
    if before then place_behind(before, job, queue) else push(job, queue, place == 'front', lane) end
    status = redis.call('HGET', hash, 'status')
    new = new + 1
  end
  before, state = job, status
  i = i + 5 + n
end
return new
