-- Part of other scripts: park a job until its time has come.

local function delay(job, queue, due)
  local delayed = 'rq:scheduled:' .. queue
  redis.call('ZADD', delayed, due, job)
  -- Workers wait until the first job is due: one that comes before it must wake one of them.
  if redis.call('ZRANGE', delayed, 0, 0)[1] == job then ring(due .. ' ' .. queue) end
end
