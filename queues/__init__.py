"""The engine: named queues on Redis, workers, schedules and dead letters. Knows nothing of the CRM.

A job's way. Read these five, in this order; the rest when you need it:

    enqueue.py ─▶ lua/enqueue    into its queue's list, and the doorbell rings
    worker.py                    the main thread: claims for the free slots, waits on the doorbell
    claim.py ─▶ lua/claim        takes jobs, in order of priority, and marks them as started
    performer.py                 a job's thread: runs it through RQ, tells how it ended, asks for its next one
    finish.py ─▶ lua/finish, lua/fail    success; a retry or a dead letter

Between the threads and Redis stands exchange.py: one round trip takes ends of runs out, claimed jobs in.

What a job is                 names, new_job, job, keys; RQ's tools use job.Job and queue.Queue
What runs on a worker         slots, pace, timeouts, progress; hangs, supervisor
What is due or stalled        lua/bring_back, at every look; locks are renewed by heartbeat
What waits for others         chains, batches; lua/settle, at each end of a run
Who goes first                lua/lanes: the workspaces of a long queue take turns; rates, pause
What ended, or did not        dead_letters, retention, erase; hand_back; mark: what a fallen Redis still knows
How things stand              counts, job_state, records, tally, register; heartbeats: who is alive
What runs when                cron.py, then the other cron_*
The way to Redis              connection, channel, scripts, doorbell, clock, times
A Redis that bills commands   frugal/: another exchange and another wait, chosen by profiles

The words. A *look* is a claim that also brings back what is due or stalled. A running job's *lock* is its
entry `job:execution` in RQ's started registry, rq:wip:<queue>; its score says until when the job counts as
alive. Who takes the entry out has ended the job: a second end finds none, and does nothing. An *end* is the
script call that says how a run ended; it may wait for a moment, to be sent with others. A job *ahead* is
claimed, and waits a moment for its thread. *Unknown* jobs were claimed for a worker that never got the
answer; it hands them back. A job is *shown* once a heartbeat has written what RQ's tools see of its run. One
whose lock lapses has *stalled* and is a *suspect*: it runs alone the next time, and is *quarantined* with the
dead letters when that worker dies, too. A worker *drains* while it takes nothing new, so that a suspect can
run alone. An *execution* is RQ's word for one run of a job. A *tick* is one time of a line of the cron table.
"""
