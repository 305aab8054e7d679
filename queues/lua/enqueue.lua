-- Enqueue jobs, each unless one of its id exists. All or nothing is not needed: each job stands alone.
--
-- ARGV     per job: guard key or '', guard member, guard score; job id, queue, place, lane or '', n, then n fields
--          and values of the job's hash. The place is 'back', 'front' or the Unix time at which the job is due.
--          The guard is a cron entry: it is moved forward to its next time, and only who moves it enqueues
--          the tick.
-- returns  per job 1 (enqueued) or 0 (its id exists, or somebody else moved the cron entry)
-- cost     per job EXISTS, HSET, LLEN, RPUSH; a delayed one EXISTS, HSET, ZADD, ZRANGE; a guard adds one ZADD. Per
--          call one SADD per queue and RPUSH bell (for delayed jobs only if nothing is due before them)

-- include push
-- include delay

local results = {}
local i = 1
while i <= #ARGV do
  local guard, member, score = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job, queue, place, lane, n = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], tonumber(ARGV[i + 7])
  local ours = guard == '' or redis.call('ZADD', guard, 'XX', 'GT', 'CH', score, member) == 1
  if ours and redis.call('EXISTS', 'rq:job:' .. job) == 0 then
    -- The first write needs memory, so that a full Redis refuses the job as a whole.
    redis.call('HSET', 'rq:job:' .. job, unpack(ARGV, i + 8, i + 7 + n))
    register(queue)
    if place == 'back' or place == 'front' then
      push(job, queue, place == 'front', lane)
    else
      delay(job, queue, place)
    end
    results[#results + 1] = 1
  else
    results[#results + 1] = 0
  end
  i = i + 8 + n
end
return results
