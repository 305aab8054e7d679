-- Part of other scripts: fairness within a queue. Its list holds no more than its next 100 jobs or so; what a
-- workspace enqueues beyond that waits in the workspace's own lane, and the list is refilled from the lanes in turn.
-- So one workspace's 10,000 jobs never stand before another's one.
--
-- clianta:lanes                     hash: queue -> number of jobs in its lanes; gone when there is none
-- clianta:lanes:<queue>             list: its lanes that hold jobs, the next one first
-- clianta:lane:<queue>:<lane>       list: job ids; the lane is the workspace's id, or '' for jobs without one
-- cost     nothing while queues are short; per refill HGETALL, LLEN and five commands a lane, for 50 jobs or more

local FRONT = 100 -- jobs in the list from which on lanes are used

local lengths, has_lanes = {}, {} -- by queue, as far as this call has asked

local function lane_key(queue, lane) return 'clianta:lane:' .. queue .. ':' .. lane end

local function is_long(queue)
  lengths[queue] = lengths[queue] or redis.call('LLEN', 'rq:queue:' .. queue)
  if lengths[queue] >= FRONT then return true end
  lengths[queue] = lengths[queue] + 1 -- by the job that is about to join
end

local function uses_lanes(queue)
  if has_lanes[queue] == nil then has_lanes[queue] = redis.call('HEXISTS', 'clianta:lanes', queue) == 1 end
  return has_lanes[queue]
end

-- Whether the job waits in a lane now; if not, its place is in the list.
local function joins_lane(job, queue, lane)
  if not is_long(queue) or (lane == '' and not uses_lanes(queue)) then return false end
  has_lanes[queue] = true
  redis.call('HINCRBY', 'clianta:lanes', queue, 1)
  if redis.call('RPUSH', lane_key(queue, lane), job) == 1 then redis.call('RPUSH', 'clianta:lanes:' .. queue, lane) end
  return true
end

local function leave_lane(job, queue, lane)
  local removed = redis.call('LREM', lane_key(queue, lane), 1, job)
  if removed == 1 then
    redis.call('HINCRBY', 'clianta:lanes', queue, -1)
    if redis.call('EXISTS', lane_key(queue, lane)) == 0 then redis.call('LREM', 'clianta:lanes:' .. queue, 1, lane) end
  end
  return removed
end

-- The next few jobs of the next lane move to the list; returns how many.
local function take_turn(queue, few)
  local lane = redis.call('LPOP', 'clianta:lanes:' .. queue)
  if not lane then return 0 end
  local jobs = redis.call('LPOP', lane_key(queue, lane), few) or {}
  if #jobs > 0 then redis.call('RPUSH', 'rq:queue:' .. queue, unpack(jobs)) end
  if redis.call('EXISTS', lane_key(queue, lane)) == 1 then redis.call('RPUSH', 'clianta:lanes:' .. queue, lane) end
  return #jobs
end

local function refill(queue)
  local room = FRONT - redis.call('LLEN', 'rq:queue:' .. queue)
  if room < FRONT / 2 then return end
  local lanes = redis.call('LLEN', 'clianta:lanes:' .. queue)
  local moved = 0
  for _ = 1, math.min(lanes, room) do moved = moved + take_turn(queue, math.max(1, math.floor(room / lanes))) end
  local is_empty = redis.call('EXISTS', 'clianta:lanes:' .. queue) == 0
  if is_empty then redis.call('HDEL', 'clianta:lanes', queue) else redis.call('HINCRBY', 'clianta:lanes', queue, -moved) end
end

local function refill_from_lanes()
  for _, queue in ipairs(redis.call('HKEYS', 'clianta:lanes')) do refill(queue) end
end
