-- Part of other scripts: a job's run is over, so its lock and the record of its execution go.

-- Whether the job was still ours. In the frugal profile, an execution's id is the list that holds the running job.
local function release(job, execution, queue, worker, was_shown)
  if string.find(execution, '^clianta:taken:') then return redis.call('DEL', execution) == 1 end
  local member = job .. ':' .. execution
  if redis.call('ZREM', 'rq:wip:' .. queue, member) == 0 then return false end
  if was_shown then
    redis.call('DEL', 'rq:execution:' .. member, 'rq:executions:' .. job)
    redis.call('SREM', 'rq:worker:' .. worker .. ':executions', member)
  end
  return true
end
