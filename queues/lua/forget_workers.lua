-- Strike off workers that died without a farewell: their key has lapsed, or is a mere rest without a birth. One that
-- lives after all registers again at its next heartbeat.
--
-- KEYS[1]  rq:workers     KEYS[2…] rq:workers: of each queue
-- returns  how many were struck off
-- cost     SMEMBERS, per worker HEXISTS; per dead one DEL and a SREM per set

local forgotten = 0
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('HEXISTS', worker, 'birth') == 0 then
    redis.call('DEL', worker, worker .. ':executions')
    for _, set in ipairs(KEYS) do redis.call('SREM', set, worker) end
    forgotten = forgotten + 1
  end
end
return forgotten
