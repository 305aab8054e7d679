-- Look for what rings no bell: delayed jobs that are due, jobs of dead workers, jobs that came without a bell.
--
-- ARGV[1]  now, Unix time     ARGV[2]  now, as RQ writes times     ARGV[3]  worker's name
-- ARGV[4]  result entry for a quarantined job: its exception text, as RQ encodes it
-- ARGV[5]  'workers': look for dead workers, too; 'all': only for the rest; 'delayed': only for delayed jobs
-- ARGV[6]  seconds without a sign of life after which a worker counts as dead
-- ARGV[7…] the queues to look at
-- returns  {ids of quarantined jobs, paused queues, '1' when other workers are registered, '1' when ended jobs are kept,
--          then queue and Unix time of
--          the next delayed job, for each that has one}
-- cost     2 while nothing waits, and for dead workers HGETALL and TTL per other worker; else DEL, 3 EXISTS, 2 HKEYS, and per
--          queue ZRANGE, 2 LLEN, ZRANGE, and what bring_back.lua says

-- include frugal_bells
-- include frugal_come_back

local now, now_text, me, quarantine_text, scope = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local queues = {unpack(ARGV, 7)}
local lapse = tonumber(ARGV[6])
local next_due, paused, has_others, has_ended = {}, {}, '', ''
local FEW = 10 -- jobs that a lane gives at its turn

local function exist(prefixes, ...)
  local keys = {...}
  for _, prefix in ipairs(prefixes) do
    for _, queue in ipairs(queues) do keys[#keys + 1] = prefix .. queue end
  end
  return redis.call('EXISTS', unpack(keys)) > 0
end

local function bury(worker, slots)
  for slot = 0, slots - 1 do come_back('clianta:taken:' .. worker .. ':' .. slot, now, now_text, quarantine_text) end
  local key = 'rq:worker:' .. worker
  redis.call('DEL', key, 'clianta:bell-of:' .. worker)
  redis.call('HDEL', 'clianta:frugal-workers', worker)
  redis.call('SREM', 'rq:workers', key)
  for _, queue in ipairs(queues) do redis.call('SREM', 'rq:workers:' .. queue, key) end
end

-- A worker is dead when its key has lapsed; or when what is left of it has no lifetime, as after a late counter. It has
-- too much of it when Redis' clock was set back.
local function bury_the_dead()
  local found = redis.call('HGETALL', 'clianta:frugal-workers')
  for i = 1, #found, 2 do
    if found[i] ~= me then
      local left = redis.call('TTL', 'rq:worker:' .. found[i])
      if left < 0 then bury(found[i], tonumber(found[i + 1])) else has_others = '1' end
      if left > lapse then redis.call('EXPIRE', 'rq:worker:' .. found[i], lapse) end
    end
  end
end

local function promote_due(queue)
  due_at = math.huge
  promote(queue, now, now_text)
  if due_at < math.huge then
    next_due[#next_due + 1] = queue
    next_due[#next_due + 1] = string.format('%.6f', due_at)
  end
end

-- What chains and batches put into the lanes of a long queue; in turn, so that it is fair all the same.
local function empty_lanes(queue)
  while take_turn(queue, FEW) > 0 or redis.call('EXISTS', 'clianta:lanes:' .. queue) == 1 do end
  redis.call('HDEL', 'clianta:lanes', queue)
end

local function is_paused(queue)
  for _, name in ipairs(paused) do
    if name == queue then return true end
  end
end

local function look_at_all()
  local ended = scope == 'workers' and {'rq:finished:', 'rq:failed:', 'rq:canceled:'} or {}
  if not exist({'rq:scheduled:', 'rq:wip:', 'rq:queue:', unpack(ended)}, 'clianta:paused', 'clianta:lanes') then return end
  if #ended > 0 and exist(ended) then has_ended = '1' end
  redis.call('DEL', 'clianta:doorbell') -- all that it could say is seen now; and what follows is allowed when Redis is full
  paused = redis.call('HKEYS', 'clianta:paused')
  local has_delayed, has_running = exist({'rq:scheduled:'}), exist({'rq:wip:'})
  for _, queue in ipairs(redis.call('HKEYS', 'clianta:lanes')) do empty_lanes(queue) end
  for _, queue in ipairs(queues) do
    if has_delayed then promote_due(queue) end
    if has_running then recover(queue, now, now_text, quarantine_text) end -- of the standard profile, or of stock workers
    if not is_paused(queue) then ring_for_the_silent(queue) end
  end
end

local function look_at_delayed()
  for _, queue in ipairs(queues) do
    promote_due(queue)
    ring_for_the_silent(queue)
  end
end

if scope == 'workers' then bury_the_dead() end
if scope == 'delayed' then look_at_delayed() else look_at_all() end
return {quarantined, paused, has_others, has_ended, unpack(next_due)}
