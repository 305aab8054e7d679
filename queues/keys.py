"""The keys in Redis that the scripts touch. Those of clianta: are ours; all else stands in RQ's own keys."""

from __future__ import annotations

from rq.queue import Queue
from rq.suspension import WORKERS_SUSPENDED

DOORBELL = "clianta:doorbell"  # list: idle workers wait on it
CRON_BELL = "clianta:cron-bell"  # list: one of the idle schedulers is woken by it
LANES = "clianta:lanes"  # hash: queue name -> jobs that wait in its lanes (see lua/lanes.lua)
PAUSED = "clianta:paused"  # hash: queue name -> who paused it, when and why
MARK = "clianta:mark"  # string: a moment; what was written before it is there (see queues/mark.py)
LAST_TRIM = "clianta:trimmed"  # string: lapses when the next trim is due
CLOCK = "clianta:clock"  # string: Redis' time when a worker last asked for it (lua/follow.lua)
ALL_QUEUES: str = Queue.redis_queues_keys  # RQ's set of all queue keys
FRUGAL_WORKERS = "clianta:frugal-workers"  # hash: name -> slots of each worker of the frugal profile
TAKEN = "clianta:taken:"  # list <worker>:<slot> of the frugal profile: its running job (lua/release.lua)
SUSPENDED: str = WORKERS_SUSPENDED


def bell_key(name: str) -> str:
    """In the frugal profile, the queue's own bell: a list of one element per waiting job."""
    return f"clianta:bell:{name}"


def own_bell_key(worker_name: str) -> str:
    """In the frugal profile, the bell that one worker alone listens to."""
    return f"clianta:bell-of:{worker_name}"


def queue_key(name: str) -> str:
    """RQ's list of waiting job ids."""
    return f"{Queue.redis_queue_namespace_prefix}{name}"
