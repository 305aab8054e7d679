-- Part of other scripts: put jobs back that were taken by a worker of the frugal profile and not ended.

-- include bring_back

-- A list holds one job; more after a quarrel with Redis that we do not know of.
local function come_back(taken, now, now_text, quarantine_text)
  local job = redis.call('LPOP', taken)
  while job do
    local queue, status = unpack(redis.call('HMGET', 'rq:job:' .. job, 'origin', 'status'))
    if queue and (status == 'queued' or status == 'started') then
      has_stalled(queue, job, now, now_text, quarantine_text)
    end
    job = redis.call('LPOP', taken)
  end
end
