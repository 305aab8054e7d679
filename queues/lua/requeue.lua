-- Put dead letters back on their queue, each with all its retries. Atomic: a job is in one place or the other.
--
-- KEYS[1]  failed registry of the queue   KEYS[2]  its list of waiting jobs
-- KEYS[3]  set of all queue keys          KEYS[4]  doorbell
-- ARGV[1]  now, as RQ writes times        ARGV[2]  retries        ARGV[3]  waits before them, a JSON list
-- ARGV[4…] job ids
-- returns  per job 1 (requeued), 0 (not in the registry) or -1 (its data is gone; the entry is removed)
-- cost     per job ZREM, EXISTS, HSET, HDEL, PERSIST, RPUSH bell, RPUSH queue; one SADD

local results = {}
redis.call('SADD', KEYS[3], KEYS[2])
for i = 4, #ARGV do
  local job = ARGV[i]
  local hash = 'rq:job:' .. job
  if redis.call('ZREM', KEYS[1], job) == 0 then
    results[#results + 1] = 0
  elseif redis.call('EXISTS', hash) == 0 then
    results[#results + 1] = -1
  else
    redis.call('HSET', hash, 'status', 'queued', 'enqueued_at', ARGV[1], 'started_at', '', 'ended_at', '',
      'retries_left', ARGV[2], 'retry_intervals', ARGV[3])
    redis.call('HDEL', hash, 'exc_info', 'stalls')
    redis.call('PERSIST', hash) -- a dead letter's days are counted; a waiting job's are not
    -- The bell first, as in enqueue.lua.
    redis.call('RPUSH', KEYS[4], '1')
    redis.call('RPUSH', KEYS[2], job)
    results[#results + 1] = 1
  end
end
return results
