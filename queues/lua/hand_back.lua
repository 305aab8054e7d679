-- Give running jobs back to the front of their queues, as if they had not been taken: no try is counted.
--
-- KEYS[1]  doorbell           KEYS[2]  the worker's set of executions
-- ARGV[1]  now, as RQ writes times
-- ARGV[2…] per job: job id, execution id, queue's waiting list, queue's rq:wip:
-- returns  how many were given back; a job that was finished meanwhile is left alone
-- cost     per job ZREM, EXISTS, HSET, LPUSH, DEL, ZREM, SREM, and one RPUSH for the bell

local given = 0
for i = 2, #ARGV, 4 do
  local job, execution, waiting, running = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local member = job .. ':' .. execution
  if redis.call('ZREM', running, member) == 1 and redis.call('EXISTS', 'rq:job:' .. job) == 1 then
    redis.call('HSET', 'rq:job:' .. job, 'status', 'queued', 'enqueued_at', ARGV[1])
    redis.call('LPUSH', waiting, job)
    redis.call('DEL', 'rq:execution:' .. member)
    redis.call('ZREM', 'rq:executions:' .. job, execution)
    redis.call('SREM', KEYS[2], member)
    given = given + 1
  end
end
if given > 0 then redis.call('RPUSH', KEYS[1], '1') end
return given
