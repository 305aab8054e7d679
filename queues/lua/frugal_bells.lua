-- Part of other scripts: the bells of the frugal profile, a list for each queue with one element per waiting job. A
-- worker pops an element first and takes a job then; a bell without a job costs it one command.

-- include push

local MOST_AT_ONCE = 1000 -- elements of one RPUSH

local function ring_for(queue, jobs)
  local elements = {}
  for i = 1, math.min(jobs, MOST_AT_ONCE) do elements[i] = '1' end
  for left = jobs, 1, -MOST_AT_ONCE do
    redis.call('RPUSH', 'clianta:bell:' .. queue, unpack(elements, 1, math.min(left, MOST_AT_ONCE)))
  end
end

-- Jobs that came without a bell (from RQ's tools, chains, batches), or whose bell was lost with a worker.
local function ring_for_the_silent(queue)
  local silent = redis.call('LLEN', 'rq:queue:' .. queue) - redis.call('LLEN', 'clianta:bell:' .. queue)
  if silent > 0 then ring_for(queue, silent) end
end
