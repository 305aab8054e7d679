-- Claim jobs: bring back what is due or stalled, then take up to as many jobs as there are free slots.
--
-- KEYS[1]  doorbell
-- KEYS[2]  the worker's set of executions
-- KEYS[3]  rq:suspended: nothing is taken while it exists (`rq suspend`)
-- KEYS[4]  hash of the paused queues: nothing is taken from them
-- KEYS[5…] per queue, in order of priority: waiting list, rq:scheduled:, rq:wip:, rq:failed:, clianta:rate:
-- ARGV[1]  now, Unix time         ARGV[2]  now, as RQ writes times
-- ARGV[3]  worker's name          ARGV[4]  lock: seconds until a silent job counts as stalled
-- ARGV[5]  result entry for a quarantined job: its exception text, as RQ encodes it
-- ARGV[6…] per queue: its name, its starts per second and its running jobs at most, all workers together;
--          0 = no limit; then one fresh execution id per free slot
-- returns  {when the next thing is due or '', indexes of the queues to leave alone until then,
--           ids of quarantined jobs, then per claimed job {queue index, job id, execution id, hash}}
-- cost     idle: DEL and 3 EXISTS. With jobs waiting EXISTS and HKEYS; per limited queue GET, SET or ZCARD. Per claimed job: LPOP, HGETALL, HSET, 3 for its execution, 2 ZADD, SADD.

-- include settle

local now, now_text, worker, lock = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local quarantine_text = ARGV[5]
local queues, due_at, limited, quarantined, claimed = (#KEYS - 4) / 5, math.huge, {}, {}, {}
local free = #ARGV - 5 - 3 * queues
local WAITING, SCHEDULED, RUNNING, FAILED, RATE = 1, 2, 3, 4, 5
local MOVED_AT_ONCE = 100 -- bounds the time of one call
local LOOK_AGAIN = 2 -- seconds, while suspended: `rq resume` rings no bell

local function key(queue, kind) return KEYS[4 + (queue - 1) * 5 + kind] end

local function option(queue, place) return ARGV[5 + (queue - 1) * 3 + place] end

local function any(kind)
  local names = {}
  for queue = 1, queues do names[queue] = key(queue, kind) end
  return redis.call('EXISTS', unpack(names)) > 0
end

local function due_next(at) if at and tonumber(at) < due_at then due_at = tonumber(at) end end

local function first_score(name)
  return redis.call('ZRANGE', name, 0, 0, 'WITHSCORES')[2]
end

local function put_back(queue, job, push)
  local hash = 'rq:job:' .. job
  local name, at_front = unpack(redis.call('HMGET', hash, 'origin', 'enqueue_at_front'))
  if not name then return end -- deleted in the meantime
  redis.call('HSET', hash, 'status', 'queued', 'enqueued_at', now_text)
  redis.call(at_front == '1' and 'LPUSH' or push, key(queue, WAITING), job)
end

local function quarantine(queue, job)
  local ttl, name, batches, webhook = unpack(redis.call('HMGET', 'rq:job:' .. job, 'failure_ttl', 'origin', 'batch',
    'webhook'))
  ttl = tonumber(ttl or '604800')
  redis.call('HSET', 'rq:job:' .. job, 'status', 'failed', 'ended_at', now_text)
  redis.call('HDEL', 'rq:job:' .. job, 'stalls') -- requeued by an operator it has two lives again
  redis.call('ZADD', key(queue, FAILED), ttl < 0 and '+inf' or math.floor(now + ttl), job)
  redis.call('XADD', 'rq:results:' .. job, 'MAXLEN', 10, '*', 'type', '2', 'exc_string', quarantine_text)
  if ttl > 0 then redis.call('EXPIRE', 'rq:results:' .. job, ttl) end
  settle(job, 'failed', now_text, name, batches, webhook)
  quarantined[#quarantined + 1] = job
end

local function promote(queue)
  local at = first_score(key(queue, SCHEDULED))
  if not at or tonumber(at) > now then return due_next(at) end
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', key(queue, SCHEDULED), '-inf', now, 'LIMIT', 0, MOVED_AT_ONCE)) do
    redis.call('ZREM', key(queue, SCHEDULED), job)
    put_back(queue, job, 'RPUSH')
  end
  due_next(first_score(key(queue, SCHEDULED)))
end

-- RQ marks a retry as scheduled just before it parks it: a worker may have died in between.
local function was_running(queue, job)
  local status = redis.call('HGET', 'rq:job:' .. job, 'status')
  return status == 'started' or (status == 'scheduled' and not redis.call('ZSCORE', key(queue, SCHEDULED), job))
end

local function recover(queue)
  local at = first_score(key(queue, RUNNING))
  if not at or tonumber(at) >= now then return due_next(at) end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key(queue, RUNNING), '-inf', now, 'LIMIT', 0, MOVED_AT_ONCE)) do
    local job, execution = string.match(member, '^([^:]+):?(.*)$')
    redis.call('ZREM', key(queue, RUNNING), member)
    redis.call('DEL', 'rq:execution:' .. member)
    redis.call('ZREM', 'rq:executions:' .. job, execution)
    if was_running(queue, job) then
      if redis.call('HINCRBY', 'rq:job:' .. job, 'stalls', 1) >= 2 then
        quarantine(queue, job)
      else
        put_back(queue, job, 'LPUSH')
      end
    end
  end
  due_next(first_score(key(queue, RUNNING)))
end

-- Starts are spaced by a theoretical arrival time (GCRA): up to one second's worth may come at once.
local function starts_allowed(queue, per_second)
  local gap = 1 / per_second
  local burst = math.max(1, per_second) - 1
  local arrival = math.max(now, tonumber(redis.call('GET', key(queue, RATE)) or '0'))
  local slack = burst * gap - (arrival - now)
  return math.max(0, math.floor(slack / gap + 1 + 1e-6)), arrival
end

local function start(queue, job)
  local hash = 'rq:job:' .. job
  if redis.call('HEXISTS', hash, 'data') == 0 then return false end -- deleted in the meantime, or never a job
  local fields = redis.call('HGETALL', hash)
  local execution = ARGV[#ARGV - free + 1]
  local member = job .. ':' .. execution
  redis.call('HSET', hash, 'status', 'started', 'started_at', now_text, 'last_heartbeat', now_text, 'worker_name', worker)
  redis.call('PERSIST', hash)
  redis.call('HSET', 'rq:execution:' .. member, 'id', execution, 'job_id', job, 'created_at', ARGV[1],
    'last_heartbeat', ARGV[1], 'worker_name', worker)
  redis.call('EXPIRE', 'rq:execution:' .. member, lock + 60)
  redis.call('ZADD', 'rq:executions:' .. job, math.floor(now + lock + 60), execution)
  redis.call('EXPIRE', 'rq:executions:' .. job, lock + 60)
  redis.call('ZADD', key(queue, RUNNING), now + lock, member)
  redis.call('SADD', KEYS[2], member)
  claimed[#claimed + 1] = {queue, job, execution, fields}
  free = free - 1
  return true
end

local function start_up_to(queue, most)
  local started = 0
  while free > 0 and started < most do
    local job = redis.call('LPOP', key(queue, WAITING))
    if not job then break end
    if start(queue, job) then started = started + 1 end
  end
  return started
end

local function take_at_rate(queue, most, per_second)
  local allowed, arrival = starts_allowed(queue, per_second)
  local started = start_up_to(queue, math.min(most, allowed))
  if started > 0 then
    arrival = arrival + started / per_second
    redis.call('SET', key(queue, RATE), string.format('%.6f', arrival), 'PX', math.ceil((arrival - now) * 1000) + 1000)
  end
  if started == allowed then due_next(arrival - (math.max(1, per_second) - 1) / per_second) end
  return started
end

local function take(queue)
  local per_second, cap = tonumber(option(queue, 2)), tonumber(option(queue, 3))
  local most = free
  if cap > 0 then most = math.max(0, math.min(free, cap - redis.call('ZCARD', key(queue, RUNNING)))) end
  if per_second > 0 then take_at_rate(queue, most, per_second) else start_up_to(queue, most) end
  -- What is left although there are free slots must wait: for its time, or for a running job to end.
  if free > 0 and redis.call('EXISTS', key(queue, WAITING)) == 1 then limited[#limited + 1] = queue end
end

local function paused_queues()
  local names = {}
  for _, name in ipairs(redis.call('HKEYS', KEYS[4])) do names[name] = true end
  return names
end

local function take_from_all()
  local paused = paused_queues()
  for queue = 1, queues do
    if paused[option(queue, 1)] then limited[#limited + 1] = queue else take(queue) end
  end
  if free == 0 and any(WAITING) then redis.call('RPUSH', KEYS[1], '1') end -- others may have a free slot
end

-- A script that has written once may write on when Redis is full, so this DEL also lets workers go on then.
redis.call('DEL', KEYS[1])
if any(SCHEDULED) then for queue = 1, queues do promote(queue) end end
if any(RUNNING) then for queue = 1, queues do recover(queue) end end
if free > 0 and any(WAITING) then
  if redis.call('EXISTS', KEYS[3]) == 1 then
    for queue = 1, queues do limited[queue] = queue end
    due_next(now + LOOK_AGAIN)
  else
    take_from_all()
  end
end
if #claimed > 0 then redis.call('EXPIRE', KEYS[2], lock + 120) end

local reply = {due_at == math.huge and '' or string.format('%.6f', due_at), limited, quarantined}
for _, job in ipairs(claimed) do reply[#reply + 1] = job end
return reply
