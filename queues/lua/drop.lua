-- Drop ended jobs and all that belongs to them; one whose id is in use again is only taken off the registry.
--
-- KEYS[1]  the registry     ARGV  job ids
-- returns  how many jobs were dropped
-- cost     per job HMGET and UNLINK, for a dead letter also SMEMBERS and HGET; one ZREM

-- include settle

local ENDED = {finished = true, failed = true, canceled = true, stopped = true}
local dropped = 0
for _, job in ipairs(ARGV) do
  local hash = 'rq:job:' .. job
  local status, ended_at = unpack(redis.call('HMGET', hash, 'status', 'ended_at'))
  if not status or ENDED[status] then
    local has_finished = status == 'finished' or string.find(KEYS[1], 'rq:finished:', 1, true) == 1
    if not has_finished then abandon(job, ended_at or '') end -- what still waits for it would wait for ever
    redis.call('UNLINK', hash, 'rq:results:' .. job, hash .. ':dependents', dependencies(job))
    dropped = dropped + 1
  end
end
redis.call('ZREM', KEYS[1], unpack(ARGV))
return dropped
