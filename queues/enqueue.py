"""Put jobs on the queues: one script call, whatever their number.

A job's id makes it unique: enqueueing it again changes nothing, so every caller may repeat itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import RedisError
from rq.job import JobStatus, validate_job_id
from rq.utils import now

import config
from queues import keys
from queues.connection import redis
from queues.job import Job
from queues.names import options
from queues.scripts import Call, run

__all__ = ["CronGuard", "NewJob", "RedisError", "enqueue", "enqueue_many", "existing"]

BATCH = 500  # jobs per script call: keeps one call under a few milliseconds


@dataclass(frozen=True)
class CronGuard:
    """Enqueue only if this call moves the cron entry forward to its next time."""

    key: str
    entry: str
    next_at: float  # Unix time


@dataclass(frozen=True)
class NewJob:
    """A job to be: `func` by its dotted name, arguments plain JSON, `id` of letters, digits, `_` and `-`."""

    queue: str
    func: str
    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


def enqueue(job: NewJob) -> bool:
    """Enqueue unless a job of that id exists; returns whether it was enqueued. Raises `RedisError`."""
    return enqueue_many([job]) == 1


def enqueue_many(jobs: Sequence[NewJob]) -> int:
    """Enqueue each job unless one of its id exists; returns how many were.

    Raises `RedisError` when Redis is away, `UnknownQueue`, or TypeError for arguments that are not JSON.
    """
    return sum(enqueue_guarded([(job, None) for job in jobs]))


def enqueue_guarded(jobs: Sequence[tuple[NewJob, CronGuard | None]]) -> list[int]:
    """As `enqueue_many`, for ticks of the cron table: 1 or 0 per job."""
    connection = redis()
    results: list[int] = []
    for start in range(0, len(jobs), BATCH):
        args = [arg for job, guard in jobs[start : start + BATCH] for arg in _arguments(job, guard)]
        results += run(connection, Call("enqueue", [keys.ALL_QUEUES, keys.DOORBELL], args))[0]
    return results


def existing(ids: Sequence[str]) -> set[str]:
    """Those of the job ids that Redis knows, in one round trip."""
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.exists(Job.key_for(job_id))
        found = pipeline.execute()
    return {job_id for job_id, exists in zip(ids, found, strict=True) if exists}


def _arguments(job: NewJob, guard: CronGuard | None) -> list[Any]:
    validate_job_id(job.id)
    fields = [part for pair in _fields(job).items() for part in pair]
    guarded = [guard.key, guard.entry, repr(guard.next_at)] if guard else ["", "", ""]
    return [*guarded, Job.key_for(job.id), job.id, keys.queue_key(job.queue), len(fields), *fields]


def _fields(job: NewJob) -> dict[str, Any]:
    """The job's hash, exactly as RQ writes it for a queued job."""
    settings, queue = config.settings(), options(job.queue)
    record = Job.create(
        job.func,
        kwargs=job.kwargs,
        connection=redis(),
        id=job.id,
        origin=job.queue,
        description=job.description or job.func,
        meta=job.meta,
        timeout=queue.timeout,
        result_ttl=settings.completed_jobs_keep_hours * 3_600,
        failure_ttl=settings.failed_jobs_keep_days * 86_400,
        status=JobStatus.QUEUED,
    )
    record.enqueued_at = now()
    record.retries_left = len(queue.retry_waits)
    record.retry_intervals = list(queue.retry_waits)
    return record.to_dict() | {"status": JobStatus.QUEUED.value}
