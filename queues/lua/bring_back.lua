-- Part of claim.lua: put back on their queues the delayed jobs that are due, and the running ones whose worker died.
-- Collects for it `due_at`, when the next thing is due (Unix time; math.huge = nothing), and `quarantined`, the ids of
-- jobs that stalled twice.
--
-- cost     per queue ZRANGE for the delayed, ZRANGE for the running; per job that comes back about five commands

-- include settle

local due_at, quarantined = math.huge, {}
local MOVED_AT_ONCE = 100 -- bounds the time of one call
-- Workers see a lapsed lock at once. One that lapsed LATE seconds ago was seen by nobody: all workers were away, or Redis'
-- clock was set forward and the owner lives. So it is spared, GRACE seconds for the owner to renew it; but once only, or
-- a lone worker that dies young again and again would put the job off for ever.
local LATE, GRACE = 10, 30 -- seconds

local function due_next(at) if at and tonumber(at) < due_at then due_at = tonumber(at) end end

local function first_score(name)
  return redis.call('ZRANGE', name, 0, 0, 'WITHSCORES')[2]
end

local function first_due(name, now)
  return redis.call('ZRANGEBYSCORE', name, '-inf', now, 'LIMIT', 0, MOVED_AT_ONCE)
end

local function put_back(queue, job, push_command, now_text)
  local hash = 'rq:job:' .. job
  local name, at_front = unpack(redis.call('HMGET', hash, 'origin', 'enqueue_at_front'))
  if not name then return end -- deleted in the meantime
  redis.call('HSET', hash, 'status', 'queued', 'enqueued_at', now_text)
  redis.call(at_front == '1' and 'LPUSH' or push_command, 'rq:queue:' .. queue, job)
end

local function promote(queue, now, now_text)
  local delayed = 'rq:scheduled:' .. queue
  local at = first_score(delayed)
  if not at or tonumber(at) > now then return due_next(at) end
  for _, job in ipairs(first_due(delayed, now)) do
    redis.call('ZREM', delayed, job)
    put_back(queue, job, 'RPUSH', now_text)
  end
  due_next(first_score(delayed))
end

local function quarantine(queue, job, now, now_text, text)
  local hash = 'rq:job:' .. job
  local ttl, name, batches, webhook = unpack(redis.call('HMGET', hash, 'failure_ttl', 'origin', 'batch', 'webhook'))
  ttl = tonumber(ttl or '604800')
  redis.call('HSET', hash, 'status', 'failed', 'ended_at', now_text)
  redis.call('HDEL', hash, 'stalls') -- requeued by an operator it has two lives again
  redis.call('ZADD', 'rq:failed:' .. queue, ttl < 0 and '+inf' or math.floor(now + ttl), job)
  redis.call('XADD', 'rq:results:' .. job, 'MAXLEN', 10, '*', 'type', '2', 'exc_string', text)
  if ttl > 0 then
    redis.call('EXPIRE', hash, ttl)
    redis.call('EXPIRE', 'rq:results:' .. job, ttl)
  end
  settle(job, 'failed', now_text, name, batches, webhook)
  quarantined[#quarantined + 1] = job
end

-- RQ marks a retry as scheduled just before it parks it: a worker may have died in between.
local function was_running(queue, job)
  local status = redis.call('HGET', 'rq:job:' .. job, 'status')
  return status == 'started' or (status == 'scheduled' and not redis.call('ZSCORE', 'rq:scheduled:' .. queue, job))
end

local function parts(member)
  -- At the last colon: ids of executions have none, and other programs may give any id to a job.
  local job, execution = string.match(member, '^(.*):([^:]*)$')
  return job or member, execution or ''
end

-- The job's hash keeps the new lapse as `spared`: a lock that lapses at just that time was not renewed since.
local function spare(queue, member, lapsed, now)
  local running, hash = 'rq:wip:' .. queue, 'rq:job:' .. parts(member)
  if redis.call('EXISTS', hash) == 0 or redis.call('HGET', hash, 'spared') == lapsed then return false end
  redis.call('ZADD', running, now + GRACE, member)
  redis.call('HSET', hash, 'spared', redis.call('ZSCORE', running, member))
  return true
end

-- Its worker died: it is tried again, or quarantined the second time.
local function has_stalled(queue, job, now, now_text, quarantine_text)
  if redis.call('HINCRBY', 'rq:job:' .. job, 'stalls', 1) >= 2 then
    quarantine(queue, job, now, now_text, quarantine_text)
  else
    put_back(queue, job, 'LPUSH', now_text)
  end
end

local function take_away(queue, member, now, now_text, quarantine_text)
  local job, execution = parts(member)
  redis.call('ZREM', 'rq:wip:' .. queue, member)
  redis.call('DEL', 'rq:execution:' .. member)
  redis.call('ZREM', 'rq:executions:' .. job, execution)
  if was_running(queue, job) then has_stalled(queue, job, now, now_text, quarantine_text) end
end

local function recover(queue, now, now_text, quarantine_text)
  local running = 'rq:wip:' .. queue
  local at = first_score(running)
  if not at or tonumber(at) >= now then return due_next(at) end
  for _, member in ipairs(first_due(running, now)) do
    local lapsed = tonumber(at) < now - LATE and redis.call('ZSCORE', running, member)
    local is_late = lapsed and tonumber(lapsed) < now - LATE
    if not (is_late and spare(queue, member, lapsed, now)) then
      take_away(queue, member, now, now_text, quarantine_text)
    end
  end
  due_next(first_score(running))
end
