-- Enqueue one part of a batch: its callback waits, deferred, until all members are done.
--
-- ARGV[1]  id of the batch, which is its callback's   ARGV[2]  members in all
-- ARGV[3]  members in the parts before this one       ARGV[4]  on_failure: 'wait', 'fail' or 'continue'
-- ARGV[5]  now, as RQ writes times
-- ARGV[6]  seconds to keep an unfinished batch        ARGV[7]  seconds to keep a complete one
-- ARGV[8]  result entry of a callback whose batch failed: its exception text, as RQ encodes it
-- ARGV[9…] the callback, then the members of this part: id, queue, place ('back' or 'front'), lane or '', n, then n
--          fields and values of its hash
-- returns  how many jobs are new; -1 when the batch exists with another number of members
-- cost     per member HMGET, HSET, SADD, push; about ten a part

-- include settle

local id, total, earlier, policy, at = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = 'clianta:batch:' .. id
local new = 0

local function create(i, field, value)
  local hash, n = 'rq:job:' .. ARGV[i], tonumber(ARGV[i + 4])
  redis.call('HSET', hash, field, value, unpack(ARGV, i + 5, i + 4 + n))
  register(ARGV[i + 1])
end

local function open(i)
  if redis.call('EXISTS', 'rq:job:' .. id) == 0 then
    create(i, 'status', 'deferred')
    redis.call('EXPIRE', 'rq:job:' .. id, ARGV[6])
    redis.call('ZADD', 'rq:deferred:' .. ARGV[i + 1], unix_time(), id)
  end
  redis.call('HSET', key, 'total', total, 'added', 0, 'on_failure', policy, 'created_at', at,
    'keep', ARGV[7], 'failure', ARGV[8])
  redis.call('EXPIRE', key, ARGV[6])
end

local function add(i)
  local job, queue, hash = ARGV[i], ARGV[i + 1], 'rq:job:' .. ARGV[i]
  local status, batches = unpack(redis.call('HMGET', hash, 'status', 'batch'))
  if not status then
    create(i, 'batch', id)
    redis.call('SADD', key .. ':waiting', job)
    push(job, queue, ARGV[i + 2] == 'front', ARGV[i + 3])
    new = new + 1
  elseif status ~= 'finished' then
    redis.call('HSET', hash, 'batch', batches and batches .. ' ' .. id or id)
    redis.call('SADD', key .. ':waiting', job)
    if status == 'failed' or status == 'stopped' or status == 'canceled' then count(id, job, 'failed', at) end
  end
end

local known = redis.call('HGET', key, 'total')
if known and known ~= total then return -1 end
if not known then open(9) end
if redis.call('HGET', key, 'added') ~= earlier then return 0 end -- this part was enqueued before

local members = 0
local i = 14 + tonumber(ARGV[13])
while i <= #ARGV do
  add(i)
  members = members + 1
  i = i + 5 + tonumber(ARGV[i + 4])
end
redis.call('HINCRBY', key, 'added', members)
redis.call('EXPIRE', key .. ':waiting', ARGV[6])
complete_when_done(id, at)
return new
