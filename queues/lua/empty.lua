-- Delete jobs that wait on a queue, or in its lanes, with all that is kept of them. What can never run without them,
-- the rest of a chain or the callback of a batch, is cancelled.
--
-- ARGV[1]  queue     ARGV[2]  how many at most     ARGV[3]  now, as RQ writes times
-- returns  how many were deleted; fewer than that when none is left
-- cost     per job SMEMBERS, HGET, 2 DEL, and what is cancelled; per call LLEN, LPOP, EXISTS, and five per lane

-- include settle

local queue, most, at = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local list = 'rq:queue:' .. queue

local function fill_list()
  local moved, last = 0, 0
  repeat
    last = take_turn(queue, most)
    moved = moved + last
  until last == 0 or redis.call('LLEN', list) >= most
  if redis.call('EXISTS', 'clianta:lanes:' .. queue) == 0 then
    redis.call('HDEL', 'clianta:lanes', queue)
  else
    redis.call('HINCRBY', 'clianta:lanes', queue, -moved)
  end
end

if redis.call('LLEN', list) < most then fill_list() end
local jobs = redis.call('LPOP', list, most) or {}
for _, job in ipairs(jobs) do
  abandon(job, at)
  redis.call('DEL', 'rq:job:' .. job, dependencies(job), 'rq:results:' .. job, 'rq:executions:' .. job)
end
if redis.call('EXISTS', list) == 0 then redis.call('DEL', 'clianta:bell:' .. queue) end -- a ring per job
return #jobs
