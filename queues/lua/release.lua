-- Part of other scripts: a job's run is over, so its lock and the record of its execution go.

-- Whether the job was still ours.
local function release(job, execution, queue, worker, was_shown)
  local member = job .. ':' .. execution
  if redis.call('ZREM', 'rq:wip:' .. queue, member) == 0 then return false end
  if was_shown then
    redis.call('DEL', 'rq:execution:' .. member, 'rq:executions:' .. job)
    redis.call('SREM', 'rq:worker:' .. worker .. ':executions', member)
  end
  return true
end
