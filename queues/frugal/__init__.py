"""The profile for a Redis that bills each command: QUEUE_PROFILE=frugal.

    enqueue: the job's hash, its queue, and a bell ──▶ wait: BLPOP on the bells, in order of priority
    ──▶ take: LMOVE from the queue to a list of the worker's slot, HGETALL ──▶ run ──▶ one DEL of both

A job is always in one list or the other. Those of a worker that died are put back by the look that every
worker takes at its start and every two hours. What this means for users is in docs/frugal.md.
"""
