-- Enqueue jobs, each unless one of its id exists. All or nothing is not needed: each job stands alone.
--
-- KEYS[1]  set of all queue keys (rq:queues)
-- KEYS[2]  doorbell: a list that idle workers wait on
-- ARGV     per job: guard key or '', guard member, guard score, job key, job id, queue key, n, then n fields
--          and values of the job's hash. The guard is a cron entry: it is moved forward to its next time, and
--          only who moves it enqueues the tick.
-- returns  per job 1 (enqueued) or 0 (its id exists, or somebody else moved the cron entry)
-- cost     per job EXISTS, HSET, SADD, RPUSH bell, RPUSH queue; a guard adds one ZADD

local results = {}
local i = 1
while i <= #ARGV do
  local guard, member, score = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job_key, job_id, queue_key, n = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], tonumber(ARGV[i + 6])
  local ours = guard == '' or redis.call('ZADD', guard, 'XX', 'GT', 'CH', score, member) == 1
  if ours and redis.call('EXISTS', job_key) == 0 then
    redis.call('HSET', job_key, unpack(ARGV, i + 7, i + 6 + n))
    redis.call('SADD', KEYS[1], queue_key)
    -- The bell first: of the lists that a worker waits on it is then served first, and no job is popped.
    redis.call('RPUSH', KEYS[2], '1')
    redis.call('RPUSH', queue_key, job_id)
    results[#results + 1] = 1
  else
    results[#results + 1] = 0
  end
  i = i + 7 + n
end
return results
