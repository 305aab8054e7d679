-- Enqueue jobs, each unless one of its id exists. All or nothing is not needed: each job stands alone.
--
-- ARGV     per job: guard key or '', guard member, guard score; job id, queue, place, n, then n fields and
--          values of the job's hash. The place is 'back', 'front' or the Unix time at which the job is due.
--          The guard is a cron entry: it is moved forward to its next time, and only who moves it enqueues
--          the tick.
-- returns  per job 1 (enqueued) or 0 (its id exists, or somebody else moved the cron entry)
-- cost     per job EXISTS, HSET, RPUSH; a delayed one EXISTS, HSET, ZADD, ZRANGE; a guard adds one ZADD. Per
--          call one SADD per queue and RPUSH bell (for delayed jobs only if nothing is due before them)

-- include push

local function delay(job, queue, due)
  local scheduled = 'rq:scheduled:' .. queue
  redis.call('ZADD', scheduled, due, job)
  -- Workers wait until the first job is due: one that comes before it must wake one of them.
  if redis.call('ZRANGE', scheduled, 0, 0)[1] == job then ring() end
end

local results = {}
local i = 1
while i <= #ARGV do
  local guard, member, score = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job, queue, place, n = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], tonumber(ARGV[i + 6])
  local ours = guard == '' or redis.call('ZADD', guard, 'XX', 'GT', 'CH', score, member) == 1
  if ours and redis.call('EXISTS', 'rq:job:' .. job) == 0 then
    -- The first write needs memory, so that a full Redis refuses the job as a whole.
    redis.call('HSET', 'rq:job:' .. job, unpack(ARGV, i + 7, i + 6 + n))
    register(queue)
    if place == 'back' or place == 'front' then
      push(job, queue, place == 'front')
    else
      delay(job, queue, place)
    end
    results[#results + 1] = 1
  else
    results[#results + 1] = 0
  end
  i = i + 7 + n
end
return results
