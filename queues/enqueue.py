"""Put jobs on the queues. A job's id makes it unique: enqueueing it again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Retry
from rq.serializers import JSONSerializer

from queues.connection import redis
from queues.job import Job
from queues.names import options

__all__ = ["NewJob", "RedisError", "enqueue", "enqueue_many", "existing"]


@dataclass(frozen=True)
class NewJob:
    """A job to be: `func` by its dotted name, arguments plain JSON, `id` of letters, digits, `_` and `-`."""

    queue: str
    func: str
    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


def queue(name: str) -> Queue:
    """RQ's queue of that name, with our job class and JSON. Raises `UnknownQueue`."""
    return Queue(
        options(name).name,
        connection=redis(),
        job_class=Job,
        serializer=JSONSerializer,
        default_timeout=options(name).timeout,
    )


def enqueue(job: NewJob) -> bool:
    """Enqueue unless a job of that id exists; returns whether it was enqueued. Raises `RedisError`."""
    return enqueue_many([job]) == 1


def enqueue_many(jobs: Sequence[NewJob]) -> int:
    """Enqueue each job unless one of its id exists; returns how many were. Raises `RedisError`."""
    return sum(_enqueue(job) for job in jobs)


def existing(ids: Sequence[str]) -> set[str]:
    """Those of the job ids that Redis knows, in one round trip."""
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.exists(Job.key_for(job_id))
        found = pipeline.execute()
    return {job_id for job_id, exists in zip(ids, found, strict=True) if exists}


def _enqueue(job: NewJob) -> bool:
    waits = options(job.queue).retry_waits
    try:
        queue(job.queue).enqueue_call(
            job.func,
            kwargs=job.kwargs,
            job_id=job.id,
            description=job.description or job.func,
            meta=job.meta,
            retry=Retry(max=len(waits), interval=list(waits)),
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True
