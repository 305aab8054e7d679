-- Put back a job that a worker has taken and cannot read; the second time it is quarantined.
--
-- ARGV[1]  now, Unix time     ARGV[2]  now, as RQ writes times     ARGV[3]  the list that holds the job
-- ARGV[4]  result entry for a quarantined job: its exception text, as RQ encodes it
-- returns  ids of quarantined jobs
-- cost     2 LPOP, HMGET, HINCRBY, and what bring_back.lua says; RPUSH bell

-- include frugal_come_back

come_back(ARGV[3], tonumber(ARGV[1]), ARGV[2], ARGV[4])
ring()
return quarantined
