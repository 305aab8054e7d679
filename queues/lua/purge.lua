-- Delete dead letters with all that is kept of them. A job that somebody requeued in the meantime is left alone.
--
-- KEYS[1]  failed registry of the queue
-- ARGV     job ids
-- returns  per job 1 (deleted) or 0 (not in the registry)
-- cost     per job ZREM, DEL

local results = {}
for i, job in ipairs(ARGV) do
  results[i] = redis.call('ZREM', KEYS[1], job)
  if results[i] == 1 then
    local hash = 'rq:job:' .. job
    redis.call('DEL', hash, hash .. ':dependents', hash .. ':dependencies', 'rq:results:' .. job,
      'rq:executions:' .. job)
  end
end
return results
