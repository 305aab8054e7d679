"""What others than the scheduler ask of it: to look at its table now, and how its jobs stand."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from queues import keys
from queues.connection import redis
from queues.job import Job

NOT_OVER = ("queued", "started", "scheduled", "deferred")  # states of a job; scheduled: to be retried


def ring() -> None:
    """Wake a scheduler: the table has changed. One is enough, since what it does is seen by all."""
    redis().rpush(keys.CRON_BELL, "1")


def states(ids: Sequence[str], connection: Redis | None = None) -> dict[str, str | None]:
    """RQ's state of each job, in one round trip; None for one that Redis does not know."""
    with (connection or redis()).pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hget(Job.key_for(job_id), "status")
        found = pipeline.execute() if ids else []
    return {job_id: state and state.decode() for job_id, state in zip(ids, found, strict=True)}
