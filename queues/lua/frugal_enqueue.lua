-- Enqueue jobs as enqueue.lua does, with the fewest commands: for a Redis that bills each.
--
-- ARGV     as in enqueue.lua; lanes are not used, and what stands behind one guard is moved together
-- returns  per job 1 (enqueued) or 0 (its id exists, or somebody else moved the cron entry)
-- cost     per job EXISTS and HSET, but only HSET for a tick; a delayed one ZADD and ZRANGE. Per queue RPUSH bell and
--          RPUSH queue. Cron entries ZMSCORE and ZADD, or for a single one ZADD.

-- include frugal_bells
-- include delay

local function read_jobs()
  local jobs, i = {}, 1
  while i <= #ARGV do
    local last = i + 7 + tonumber(ARGV[i + 7])
    jobs[#jobs + 1] = {guard = ARGV[i], member = ARGV[i + 1], score = ARGV[i + 2], id = ARGV[i + 3],
      queue = ARGV[i + 4], place = ARGV[i + 5], first = i + 8, last = last, is_ours = ARGV[i] == ''}
    i = last + 1
  end
  return jobs
end

local function by_guard(jobs)
  local groups = {}
  for _, job in ipairs(jobs) do
    if job.guard ~= '' then
      groups[job.guard] = groups[job.guard] or {}
      table.insert(groups[job.guard], job)
    end
  end
  return groups
end

-- Only who moves a cron entry forward enqueues its tick.
local function move(guard, ticks)
  if #ticks == 1 then
    ticks[1].is_ours = redis.call('ZADD', guard, 'XX', 'GT', 'CH', ticks[1].score, ticks[1].member) == 1
    return
  end
  local members, moves = {}, {}
  for i, tick in ipairs(ticks) do members[i] = tick.member end
  for i, score in ipairs(redis.call('ZMSCORE', guard, unpack(members))) do
    local tick = ticks[i]
    tick.is_ours = score and tonumber(score) < tonumber(tick.score)
    if tick.is_ours then
      moves[#moves + 1] = tick.score
      moves[#moves + 1] = tick.member
    end
  end
  if #moves > 0 then redis.call('ZADD', guard, 'XX', 'GT', unpack(moves)) end
end

-- A tick's id is new when its entry was moved. Should Redis know it all the same, it is not enqueued again.
local function create(job)
  local hash = 'rq:job:' .. job.id
  if job.guard == '' and redis.call('EXISTS', hash) == 1 then return false end
  return redis.call('HSET', hash, unpack(ARGV, job.first, job.last)) == (job.last - job.first + 1) / 2
end

local waiting = {} -- queue -> ids

local function place(job)
  if job.place == 'back' then
    waiting[job.queue] = waiting[job.queue] or {}
    table.insert(waiting[job.queue], job.id)
  elseif job.place == 'front' then
    ring_for(job.queue, 1)
    redis.call('LPUSH', 'rq:queue:' .. job.queue, job.id)
  else
    delay(job.id, job.queue, job.place)
  end
end

local jobs, results = read_jobs(), {}
for guard, ticks in pairs(by_guard(jobs)) do move(guard, ticks) end
for i, job in ipairs(jobs) do
  results[i] = job.is_ours and create(job) and 1 or 0
  if results[i] == 1 then place(job) end
end
for queue, ids in pairs(waiting) do
  ring_for(queue, #ids)
  redis.call('RPUSH', 'rq:queue:' .. queue, unpack(ids))
end
return results
