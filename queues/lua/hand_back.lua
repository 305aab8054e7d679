-- Give running jobs back to the front of their queues, as if they had not been taken: no try is counted.
--
-- ARGV[1]  now, as RQ writes times     ARGV[2]  worker's name
-- ARGV[3…] per job: job id, execution id, its queue
-- returns  how many were given back; a job that was finished meanwhile is left alone
-- cost     per job ZREM, DEL, SREM, EXISTS, HSET, LPUSH, and one RPUSH for the bell

-- include push
-- include release

local given = 0
for i = #ARGV - 2, 3, -3 do -- the first one last, since each goes to the front
  local job, execution, queue = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if release(job, execution, queue, ARGV[2], true) and redis.call('EXISTS', 'rq:job:' .. job) == 1 then
    redis.call('HSET', 'rq:job:' .. job, 'status', 'queued', 'enqueued_at', ARGV[1])
    push(job, queue, true)
    given = given + 1
  end
end
return given
