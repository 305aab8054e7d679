-- Part of other scripts: what the end of a job means for others. Runs in the same breath as the end itself, so
-- no process can die in between.
--
-- settle(job, outcome, at, queue, batches, webhook)
--   outcome 'finished', or 'failed' when the job became a dead letter; at, as RQ writes times
--   batches, webhook: these fields of the job's hash
-- abandon(job, at): the job will never run again; what can never come true without it is cancelled
--
-- cost     a job that others wait for: SMEMBERS and per job that waits HMGET, SMEMBERS, ZREM, SREM, DEL,
--          then HSET, PERSIST, push. A member of a batch: SREM, SCARD; a dead letter SMOVE, 2 TTL, 2 EXPIRE, HGET,
--          SCARD. A webhook: XREVRANGE, EXISTS, 2 HSET, PERSIST, push.

-- include push

local UNTIL_TRIMMED = 86400 -- seconds, more than any pause between two trims
local LARGEST_RESULT = 87384 -- characters of base64: 64 KiB of JSON; a larger result is left out of a webhook
local settle

local function unix_time()
  return tonumber(redis.call('TIME')[1])
end

-- Into a registry whose jobs lapse: the score says when.
local function lay_to_rest(job, status, registry, at)
  local hash = 'rq:job:' .. job
  local keep = tonumber(redis.call('HGET', hash, 'failure_ttl') or '604800')
  redis.call('HSET', hash, 'status', status, 'ended_at', at)
  if keep >= 0 then redis.call('EXPIRE', hash, keep) end -- -1 = for ever
  redis.call('ZADD', registry, keep < 0 and '+inf' or unix_time() + keep, job)
  return keep
end

-- Jobs that wait for others: RQ's own dependents.

local function dependencies(job) return 'rq:job::' .. job .. ':dependencies' end -- RQ's key has two colons

local function cancel(job, queue, at)
  if redis.call('ZREM', 'rq:deferred:' .. queue, job) == 0 then return end
  lay_to_rest(job, 'canceled', 'rq:canceled:' .. queue, at)
  redis.call('DEL', dependencies(job))
end

local function cancel_dependents(job, at)
  local dependents = 'rq:job:' .. job .. ':dependents'
  for _, child in ipairs(redis.call('SMEMBERS', dependents)) do
    local queue = redis.call('HGET', 'rq:job:' .. child, 'origin')
    if queue then
      cancel(child, queue, at)
      cancel_dependents(child, at)
    end
  end
  redis.call('DEL', dependents)
end

local function is_over(status, may_fail)
  return not status or status == 'finished' or (may_fail and (status == 'failed' or status == 'stopped'))
end

local function waits_for_another(job, parent, may_fail)
  for _, other in ipairs(redis.call('SMEMBERS', dependencies(job))) do
    if other ~= parent and not is_over(redis.call('HGET', 'rq:job:' .. other, 'status'), may_fail) then
      return true
    end
  end
end

local function go_on(job, parent, outcome, at)
  local queue, may_fail, policy, at_front = unpack(redis.call('HMGET', 'rq:job:' .. job, 'origin',
    'allow_dependency_failures', 'on_failure', 'enqueue_at_front'))
  may_fail = may_fail == '1'
  if not queue then
    return -- deleted in the meantime
  elseif not is_over(outcome, may_fail) then
    if policy == 'cancel' then
      cancel(job, queue, at)
      cancel_dependents(job, at)
    end
  elseif not waits_for_another(job, parent, may_fail) and redis.call('ZREM', 'rq:deferred:' .. queue, job) == 1 then
    redis.call('SREM', 'rq:job:' .. parent .. ':dependents', job)
    redis.call('DEL', dependencies(job))
    make_ready(job, queue, at, at_front == '1')
  end
end

-- Batches: clianta:batch:<id> is a hash, :waiting and :failed are sets of job ids. The id is the callback's.

local function callback_of(batch)
  return unpack(redis.call('HMGET', 'rq:job:' .. batch, 'origin', 'enqueued_at', 'enqueue_at_front'))
end

local function complete_when_done(batch, at)
  local key = 'clianta:batch:' .. batch
  if redis.call('SCARD', key .. ':waiting') > 0 then return end
  local total, added, policy, keep = unpack(redis.call('HMGET', key, 'total', 'added', 'on_failure', 'keep'))
  if total ~= added then return end -- it is still being enqueued
  if policy ~= 'continue' and redis.call('EXISTS', key .. ':failed') == 1 then return end
  local queue, enqueued_at, at_front = callback_of(batch)
  if not queue then return end -- deleted in the meantime
  local is_parked = redis.call('ZREM', 'rq:deferred:' .. queue, batch) == 1
    -- It was buried when a member failed, and nobody has requeued it by hand.
    or ((enqueued_at or '') == '' and redis.call('ZREM', 'rq:failed:' .. queue, batch) == 1)
  if not is_parked then return end -- it has had its one start
  redis.call('HSET', 'rq:job:' .. batch, 'ended_at', '')
  make_ready(batch, queue, at, at_front == '1')
  redis.call('HSET', key, 'completed_at', at)
  redis.call('EXPIRE', key, keep)
  redis.call('EXPIRE', key .. ':failed', keep)
end

local function bury_callback(batch, at)
  local queue = callback_of(batch)
  if not queue or redis.call('ZREM', 'rq:deferred:' .. queue, batch) == 0 then return end
  local keep = lay_to_rest(batch, 'failed', 'rq:failed:' .. queue, at)
  local text = redis.call('HGET', 'clianta:batch:' .. batch, 'failure')
  redis.call('XADD', 'rq:results:' .. batch, 'MAXLEN', 10, '*', 'type', '2', 'exc_string', text)
  if keep >= 0 then redis.call('EXPIRE', 'rq:results:' .. batch, keep) end
  settle(batch, 'failed', at, queue, unpack(redis.call('HMGET', 'rq:job:' .. batch, 'batch', 'webhook')))
end

-- A dead letter's hash lapses with it, and the trim that looks afterwards could not tell then who waits for it.
local function outlive(job)
  local left = redis.call('TTL', 'rq:job:' .. job)
  if left >= 0 then redis.call('EXPIRE', 'rq:job:' .. job, left + UNTIL_TRIMMED) end
end

local function count(batch, job, outcome, at)
  local key = 'clianta:batch:' .. batch
  if outcome == 'finished' then
    -- Each job counts once, however often it runs.
    if redis.call('SREM', key .. ':waiting', job) == 0 and redis.call('SREM', key .. ':failed', job) == 0 then return end
  else
    outlive(job)
    if redis.call('SMOVE', key .. ':waiting', key .. ':failed', job) == 0 then return end
    redis.call('EXPIRE', key .. ':failed', math.max(1, redis.call('TTL', key)))
    if redis.call('HGET', key, 'on_failure') == 'fail' then bury_callback(batch, at) end
  end
  complete_when_done(batch, at)
end

-- Webhooks: a job of its own delivers each, so that it is retried like any other.

local function result_of(job)
  local latest = redis.call('XREVRANGE', 'rq:results:' .. job, '+', '-', 'COUNT', 1)[1]
  for i = 1, latest and #latest[2] or 0, 2 do
    if latest[2][i] == 'return_value' then return latest[2][i + 1] end
  end
end

local function announce(job, outcome, at, queue, webhook)
  local plan = cjson.decode(webhook)
  local delivery = 'webhook-' .. job .. '-' .. string.gsub(at, '%D', '')
  if redis.call('EXISTS', 'rq:job:' .. delivery) == 1 then return end
  local kwargs = {url = plan.url, delivery = delivery, job_id = job, queue = queue, status = outcome, ended_at = at}
  local result = outcome == 'finished' and result_of(job)
  if result and #result > LARGEST_RESULT then kwargs.result_omitted = true else kwargs.result = result or nil end
  redis.call('HSET', 'rq:job:' .. delivery, 'created_at', at, 'description', 'webhook of ' .. job,
    'data', string.format('["%s",null,[],%s]', plan.func, cjson.encode(kwargs)), unpack(plan.fields))
  make_ready(delivery, plan.queue, at)
end

function settle(job, outcome, at, queue, batches, webhook)
  for _, child in ipairs(redis.call('SMEMBERS', 'rq:job:' .. job .. ':dependents')) do go_on(child, job, outcome, at) end
  for batch in string.gmatch(batches or '', '%S+') do count(batch, job, outcome, at) end
  if webhook then announce(job, outcome, at, queue, webhook) end
end

local function abandon(job, at)
  cancel_dependents(job, at)
  for batch in string.gmatch(redis.call('HGET', 'rq:job:' .. job, 'batch') or '', '%S+') do
    local key = 'clianta:batch:' .. batch
    local policy, queue = redis.call('HGET', key, 'on_failure'), callback_of(batch)
    if policy == 'continue' then
      count(batch, job, 'failed', at)
    elseif queue and (redis.call('SISMEMBER', key .. ':waiting', job) == 1
        or redis.call('SISMEMBER', key .. ':failed', job) == 1) then
      redis.call('SMOVE', key .. ':waiting', key .. ':failed', job)
      cancel(batch, queue, at)
      cancel_dependents(batch, at)
    end
  end
end
