-- Renew or release a lease, by its owner only.
--
-- KEYS[1]  the lease     ARGV[1]  the owner's token     ARGV[2]  milliseconds to renew for; 0 releases it
-- returns  1, or 0 when the lease lapsed or belongs to somebody else
-- cost     GET and PEXPIRE or DEL

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > 0 then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('DEL', KEYS[1])
