-- Part of other scripts: whether others can still begin to wait for jobs that exist. A worker of the frugal profile
-- reads who waits when it takes a job, and not again; so what runs already must have been marked before that.
--
-- cost     per job that exists HMGET, HSET, and LPOS while it is on its queue

local OVER = {finished = true, failed = true, stopped = true, canceled = true}

local function can_be_awaited(job)
  local hash = 'rq:job:' .. job
  local status, queue, awaited, batch, webhook, dependency = unpack(redis.call('HMGET', hash, 'status', 'origin',
    'awaited', 'batch', 'webhook', 'dependency_id'))
  if not status or OVER[status] or awaited or batch or webhook or dependency then return true end
  if status == 'queued' and not redis.call('LPOS', 'rq:queue:' .. queue, job) then return false end
  redis.call('HSET', hash, 'awaited', 1)
  return true
end

-- `i`: where the first of the jobs stands in ARGV.
local function can_all_be_awaited(i)
  while i <= #ARGV do
    if not can_be_awaited(ARGV[i]) then return false end
    i = i + 5 + tonumber(ARGV[i + 4])
  end
  return true
end
