"""The engine: named queues on Redis, workers, schedules and dead letters. Knows nothing of the CRM.

A job's way, and where to read it:

    enqueue.py ─▶ lua/enqueue ─▶ a queue's list, and the doorbell rings
    worker.py      the main thread: claims for the free slots, waits on the doorbell (doorbell.py)
    exchange.py    what goes over the wire: ends of runs out, claimed jobs in (claim.py ─▶ lua/claim)
    performer.py   a job's thread: runs it through RQ, tells how it ended (finish.py ─▶ lua/finish, lua/fail),
                   and asks the exchange for its next job, until there is none.

Beside it: what is due or stalled comes back (lua/bring_back), who waited for a job goes on (lua/settle), a
long queue is shared fairly (lua/lanes), locks are renewed (heartbeat.py), time limits kept (timeouts.py),
unfinished work handed back (hand_back.py), old jobs dropped (retention.py). The schedule begins in cron.py.
"""
