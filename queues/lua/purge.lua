-- Delete dead letters with all that is kept of them. A job that somebody requeued in the meantime is left alone.
-- What can never run without them, the rest of a chain or the callback of a batch, is cancelled.
--
-- KEYS[1]  failed registry of the queue
-- ARGV[1]  now, as RQ writes times
-- ARGV[2…] job ids
-- returns  per job 1 (deleted) or 0 (not in the registry)
-- cost     per job ZREM, SMEMBERS, HGET, 2 DEL; and what is cancelled

-- include settle

local results = {}
for i = 2, #ARGV do
  local job = ARGV[i]
  results[i - 1] = redis.call('ZREM', KEYS[1], job)
  if results[i - 1] == 1 then
    local hash = 'rq:job:' .. job
    abandon(job, ARGV[1])
    redis.call('DEL', hash, 'rq:job::' .. job .. ':dependencies', 'rq:results:' .. job, 'rq:executions:' .. job)
  end
end
return results
