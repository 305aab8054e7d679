-- Show running jobs: renew their locks, and write the records of their executions, as RQ's worker does at a start.
--
-- ARGV[1]  now, Unix time     ARGV[2]  now, as RQ writes times     ARGV[3]  lock: seconds to renew for
-- ARGV[4]  worker's name
-- ARGV[5…] per job: job id, execution id, its queue, Unix time of its start
-- returns  per job 1, or 0 when it is not ours any more: its lock had lapsed, and somebody else has it
-- cost     per job ZSCORE, EXISTS, 2 HSET, 2 ZADD, 2 EXPIRE, SADD; and EXPIRE, HSET

local now, lock, worker = tonumber(ARGV[1]), tonumber(ARGV[3]), ARGV[4]
local ours = {}

local function show(job, execution, queue, started_at)
  local member = job .. ':' .. execution
  local record = 'rq:execution:' .. member
  if not redis.call('ZSCORE', 'rq:wip:' .. queue, member) then return 0 end
  redis.call('ZADD', 'rq:wip:' .. queue, 'XX', now + lock, member)
  redis.call('HSET', record, 'id', execution, 'job_id', job, 'created_at', started_at, 'last_heartbeat', ARGV[1],
    'worker_name', worker)
  redis.call('EXPIRE', record, lock + 60)
  redis.call('ZADD', 'rq:executions:' .. job, math.floor(now + lock + 60), execution)
  redis.call('EXPIRE', 'rq:executions:' .. job, lock + 60)
  redis.call('SADD', 'rq:worker:' .. worker .. ':executions', member)
  if redis.call('EXISTS', 'rq:job:' .. job) == 1 then
    redis.call('HSET', 'rq:job:' .. job, 'last_heartbeat', ARGV[2])
  end
  return 1
end

-- The first write needs no memory, so locks can be renewed when Redis is full.
redis.call('EXPIRE', 'rq:worker:' .. worker .. ':executions', lock + 120)
local is_busy = false
for i = 5, #ARGV, 4 do
  ours[#ours + 1] = show(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
  is_busy = is_busy or ours[#ours] == 1
end
if is_busy then redis.call('HSET', 'rq:worker:' .. worker, 'state', 'busy') end
return ours
