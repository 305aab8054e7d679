-- Make a worker known as one that may hold jobs, even while Redis is full.
--
-- ARGV[1]  worker's name     ARGV[2]  its slots     ARGV[3]  seconds until it counts as dead
-- cost     DEL, 2 HSET, EXPIRE

redis.call('DEL', 'clianta:bell-of:' .. ARGV[1]) -- a script that has freed something may write on
redis.call('HSET', 'clianta:frugal-workers', ARGV[1], ARGV[2])
redis.call('HSET', 'rq:worker:' .. ARGV[1], 'slots', ARGV[2])
redis.call('EXPIRE', 'rq:worker:' .. ARGV[1], ARGV[3])
