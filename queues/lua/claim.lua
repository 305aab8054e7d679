-- Claim jobs: take up to as many as there are free slots, in order of priority, and mark them as started.
--
-- ARGV[1]  now, Unix time         ARGV[2]  now, as RQ writes times
-- ARGV[3]  worker's name          ARGV[4]  lock: seconds until a silent job counts as stalled
-- ARGV[5]  the queues, in order of priority: "name per_second running;" each: its starts per second and its
--          running jobs at most, all workers together; 0 = no limit
-- ARGV[6]  '' when the worker is busy: it takes jobs, and leaves all else to the next look; or the result entry
--          for a quarantined job: its exception text, as RQ encodes it
-- ARGV[7]  'rest' when nothing runs on the worker: it may take a suspect, and then nothing beside it; 'suspect' when
--          it has come to rest for one, which goes first now; 'draining' while it waits for that, and only asks whether
--          one still waits; else ''
-- ARGV[8…] one fresh execution id per free slot
-- returns  {when the next thing is due or '', ids of quarantined jobs, '1' when a suspect waits for an idle worker,
--           then per claimed job {execution id, job id, hash}}
-- cost     EXISTS; per claimed job LPOP, HGETALL, HSET, ZADD; per limited queue GET and SET, or ZCARD. A look beside
--          it: DEL, 3 EXISTS, and what bring_back.lua says

-- A suspect is a job whose worker died while it ran. It runs alone, so that only the guilty one dies twice.

-- include bring_back

local now, now_text, worker, lock = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local table_of_queues, quarantine_text = ARGV[5], ARGV[6]
local is_look = quarantine_text ~= ''
local is_at_rest, free = ARGV[7] == 'rest' or ARGV[7] == 'suspect', #ARGV - 7
local claimed, suspects = {}, {}
local LOOK_AGAIN = 2 -- seconds, while suspended: `rq resume` rings no bell

-- RQ keeps a lifetime on the hash of a job that waits only so long, or that has ended before.
local function is_mortal(name, value)
  return name == 'ttl' or (name == 'ended_at' and value ~= '')
end

local function start(queue, job)
  local hash = 'rq:job:' .. job
  local fields = redis.call('HGETALL', hash)
  local is_job, has_lifetime, is_suspect, is_canceled = false, false, false, false
  for i = 1, #fields, 2 do
    is_job = is_job or fields[i] == 'data'
    has_lifetime = has_lifetime or is_mortal(fields[i], fields[i + 1])
    is_suspect = is_suspect or fields[i] == 'stalls'
    is_canceled = is_canceled or (fields[i] == 'status' and fields[i + 1] == 'canceled')
  end
  -- Deleted in the meantime, or never a job; or cancelled by a stock tool, which does not find it in its lane.
  if not is_job or is_canceled then return false end
  if is_suspect and (not is_at_rest or #claimed > 0) then
    suspects[#suspects + 1] = {queue, job}
    return false
  end
  local execution = ARGV[#ARGV - free + 1]
  redis.call('HSET', hash, 'status', 'started', 'started_at', now_text, 'last_heartbeat', now_text, 'worker_name', worker)
  if has_lifetime then redis.call('PERSIST', hash) end
  redis.call('ZADD', 'rq:wip:' .. queue, now + lock, job .. ':' .. execution)
  claimed[#claimed + 1] = {execution, job, fields}
  free = is_suspect and 0 or free - 1
  return true
end

local function start_up_to(queue, most)
  local started = 0
  while free > 0 and started < most do
    local job = redis.call('LPOP', 'rq:queue:' .. queue)
    if not job then break end
    if start(queue, job) then started = started + 1 end
  end
  return started
end

-- Starts are spaced by a theoretical arrival time (GCRA): up to one second's worth may come at once.
local function starts_allowed(rate, per_second)
  local gap = 1 / per_second
  local burst = math.max(1, per_second) - 1
  local arrival = tonumber(redis.call('GET', rate) or '0')
  -- Never further ahead than starts can push it: else the clock was set back.
  arrival = math.max(now, math.min(arrival, now + math.max(1, gap)))
  local slack = burst * gap - (arrival - now)
  return math.max(0, math.floor(slack / gap + 1 + 1e-6)), arrival
end

local function take_at_rate(queue, most, per_second)
  local rate = 'clianta:rate:' .. queue
  local allowed, arrival = starts_allowed(rate, per_second)
  local started = start_up_to(queue, math.min(most, allowed))
  if started > 0 then
    arrival = arrival + started / per_second
    redis.call('SET', rate, string.format('%.6f', arrival), 'PX', math.ceil((arrival - now) * 1000) + 1000)
  end
  if started == allowed then due_next(arrival - (math.max(1, per_second) - 1) / per_second) end
end

-- Suspects stand at the front of their queues. Once a worker has come to rest for one, that goes first.
local function take_a_suspect(paused)
  for queue in string.gmatch(table_of_queues, '(%S+) %S+ %S+;') do
    local job = not paused[queue] and redis.call('LINDEX', 'rq:queue:' .. queue, 0)
    if job and redis.call('HEXISTS', 'rq:job:' .. job, 'stalls') == 1 then
      redis.call('LPOP', 'rq:queue:' .. queue)
      return start(queue, job)
    end
  end
end

local function take(queue, per_second, cap)
  local most = free
  if cap > 0 then most = math.max(0, math.min(free, cap - redis.call('ZCARD', 'rq:wip:' .. queue))) end
  if per_second > 0 then take_at_rate(queue, most, per_second) else start_up_to(queue, most) end
end

local function take_from_all(paused)
  for queue, per_second, cap in string.gmatch(table_of_queues, '(%S+) (%S+) (%S+);') do
    if free == 0 then break end
    if not paused[queue] then take(queue, tonumber(per_second), tonumber(cap)) end
  end
end

local function paused_queues()
  local names = {}
  for _, name in ipairs(redis.call('HKEYS', 'clianta:paused')) do names[name] = true end
  return names
end

local function any(prefix, ...)
  local names = {...}
  for queue in string.gmatch(table_of_queues, '(%S+) %S+ %S+;') do names[#names + 1] = prefix .. queue end
  return redis.call('EXISTS', unpack(names)) > 0
end

local function look()
  -- A script that has written once may write on when Redis is full, so this DEL also lets workers go on then.
  -- A worker without a free slot leaves one ring for another: it may be about to wait.
  if free > 0 then redis.call('DEL', 'clianta:doorbell') else redis.call('LTRIM', 'clianta:doorbell', 0, 0) end
  local has_delayed, has_running = any('rq:scheduled:'), any('rq:wip:')
  if has_delayed or has_running then
    for queue in string.gmatch(table_of_queues, '(%S+) %S+ %S+;') do
      if has_delayed then promote(queue, now, now_text) end
      if has_running then recover(queue, now, now_text, quarantine_text) end
    end
  end
end

local function has_waiting()
  return any('rq:queue:', 'clianta:lanes')
end

local function has_suspect_waiting()
  local paused = paused_queues()
  for queue in string.gmatch(table_of_queues, '(%S+) %S+ %S+;') do
    local job = not paused[queue] and redis.call('LINDEX', 'rq:queue:' .. queue, 0)
    if job and redis.call('HEXISTS', 'rq:job:' .. job, 'stalls') == 1 then return true end
  end
end

if is_look then look() end
local is_suspect_waiting = ARGV[7] == 'draining' and has_suspect_waiting()
if free > 0 and (not is_look or has_waiting()) then
  local paused = {}
  if redis.call('EXISTS', 'rq:suspended', 'clianta:paused', 'clianta:lanes') > 0 then
    refill_from_lanes()
    paused = paused_queues()
    if redis.call('EXISTS', 'rq:suspended') == 1 then
      due_next(now + LOOK_AGAIN)
      free = 0
    end
  end
  local wanted = free
  if free > 0 and ARGV[7] == 'suspect' then take_a_suspect(paused) end
  take_from_all(paused)
  for i = #suspects, 1, -1 do redis.call('LPUSH', 'rq:queue:' .. suspects[i][1], suspects[i][2]) end
  -- Others may have a free slot. A busy worker need not tell: whoever enqueued has rung.
  if is_look and wanted > 0 and free == 0 and has_waiting() then redis.call('RPUSH', 'clianta:doorbell', '1') end
end

local reply = {due_at == math.huge and '' or string.format('%.6f', due_at), quarantined, (#suspects > 0 or is_suspect_waiting) and '1' or ''}
for _, job in ipairs(claimed) do reply[#reply + 1] = job end
return reply
