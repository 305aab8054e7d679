"""Put jobs on the queues: one script call, whatever their number.

A job's id makes it unique: enqueueing it again changes nothing, so every caller may repeat itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import RedisError
from rq.job import JobStatus
from rq.utils import now, utcformat

import config
from queues import channel, new_job
from queues.connection import redis
from queues.job import Job
from queues.new_job import NewJob
from queues.scripts import Call, run

__all__ = [
    "CronGuard",
    "NewJob",
    "RedisError",
    "cancel",
    "enqueue",
    "enqueue_at",
    "enqueue_each_at",
    "enqueue_in",
    "enqueue_many",
    "existing",
]

BATCH = 500  # jobs per script call: keeps one call under a few milliseconds


@dataclass(frozen=True)
class CronGuard:
    """Enqueue only if this call moves the cron entry forward to its next time."""

    key: str
    entry: str
    next_at: float  # Unix time


def enqueue(job: NewJob) -> bool:
    """Enqueue unless a job of that id exists; returns whether it was enqueued. Raises `RedisError`."""
    return enqueue_many([job]) == 1


def enqueue_many(jobs: Sequence[NewJob]) -> int:
    """Enqueue each job unless one of its id exists; returns how many were.

    Raises `RedisError` when Redis is away, `UnknownQueue`, or TypeError for arguments that are not JSON.
    """
    return sum(enqueue_guarded([(job, None) for job in jobs]))


def enqueue_at(job: NewJob, moment: datetime) -> bool:
    """As `enqueue`, but it starts at that moment, to the millisecond; at once when that is past.

    Until then it stands in RQ's scheduled registry. Raises ValueError for a moment without a time zone.
    """
    return enqueue_each_at([(job, moment)]) == 1


def enqueue_each_at(jobs: Sequence[tuple[NewJob, datetime]]) -> int:
    """As `enqueue_at`, for many jobs, each at its own moment; returns how many were enqueued."""
    enqueued = 0
    for start in range(0, len(jobs), BATCH):
        part = jobs[start : start + BATCH]
        enqueued += sum(_send([arg for job, at in part for arg in (*_guard(None), *_timed(job, at))]))
    return enqueued


def enqueue_in(job: NewJob, delay: timedelta) -> bool:
    """As `enqueue`, but it starts after that time."""
    return enqueue_at(job, datetime.now(UTC) + delay)


def cancel(job_id: str) -> bool:
    """Cancel a job that has not started; returns False when there is none, or it has.

    It stands in RQ's canceled registry, and keeps its id, as long as a dead letter would. What waits for it,
    the rest of its chain or the callback of its batch, is cancelled too, unless its policy says "continue".
    """
    return bool(run(redis(), Call("cancel", [], [job_id, utcformat(now())]))[0])


def enqueue_guarded(jobs: Sequence[tuple[NewJob, CronGuard | None]]) -> list[int]:
    """As `enqueue_many`, for ticks of the cron table: 1 or 0 per job."""
    results: list[int] = []
    for start in range(0, len(jobs), BATCH):
        part = jobs[start : start + BATCH]
        results += _send([arg for job, guard in part for arg in (*_guard(guard), *new_job.arguments(job))])
    return results


def existing(ids: Sequence[str]) -> set[str]:
    """Those of the job ids that Redis knows, in one round trip."""
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.exists(Job.key_for(job_id))
        found = pipeline.execute()
    return {job_id for job_id, exists in zip(ids, found, strict=True) if exists}


def _timed(job: NewJob, moment: datetime) -> Sequence[Any]:
    if moment.tzinfo is None:
        raise ValueError(f"moment of the job {job.id}: {moment} has no time zone")
    due = moment.timestamp()
    if due <= time.time():
        return new_job.arguments(job)
    return new_job.arguments(job, place=f"{due:.3f}", status=JobStatus.SCHEDULED)


def _guard(guard: CronGuard | None) -> list[str]:
    return [guard.key, guard.entry, repr(guard.next_at)] if guard else ["", "", ""]


def _send(arguments: Sequence[Any]) -> list[int]:
    script = "frugal_enqueue" if config.settings().is_frugal else "enqueue"
    results: list[int] = channel.of(redis()).run_again(Call(script, (), arguments))[0]
    return results
