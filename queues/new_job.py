"""A job to be, and what Redis will hold of it: a hash exactly as RQ writes it, with fields of our own."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from rq.job import JobStatus, validate_job_id
from rq.utils import now

import config
from queues.connection import redis
from queues.job import Job
from queues.names import INTEGRATIONS, options

DELIVER_WEBHOOK = "services.webhook.deliver"  # by name: the queues know no service


@dataclass(frozen=True)
class NewJob:
    """A job to be: `func` by its dotted name, arguments plain JSON, `id` of letters, digits, `_` and `-`."""

    queue: str
    func: str
    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    at_front: bool = False  # before all that wait on its queue
    webhook: str | None = None  # URL to tell when the job has finished or is a dead letter


class InvalidWebhook(ValueError):
    """A job's webhook can never be delivered."""

    permanent = True


def arguments(job: NewJob, place: str | None = None, **changes: Any) -> list[Any]:
    """A job as the scripts take it: id, queue, place, number of fields and values, then these.

    `place` is "back", "front" or a Unix time; `changes` are attributes of RQ's job. Raises `UnknownQueue`,
    `InvalidWebhook`, ValueError for a bad id, TypeError for arguments that are not JSON.
    """
    validate_job_id(job.id)
    fields = _hash(job, **changes)
    if job.webhook:
        fields["webhook"] = _webhook_plan(job, job.webhook)
    flat = [part for pair in fields.items() for part in pair]
    return [job.id, job.queue, place or ("front" if job.at_front else "back"), len(flat), *flat]


def _hash(job: NewJob, status: JobStatus = JobStatus.QUEUED, **changes: Any) -> dict[str, Any]:
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
        status=status,
    )
    record.enqueued_at = now() if status == JobStatus.QUEUED else None
    record.retries_left = len(queue.retry_waits)
    record.retry_intervals = list(queue.retry_waits)
    record.enqueue_at_front = job.at_front or None
    for name, value in changes.items():
        setattr(record, name, value)
    return record.to_dict() | {"status": status.value}


def _webhook_plan(job: NewJob, url: str) -> str:
    """The delivery as settle.lua completes it: only the end of the job tells what to deliver."""
    if not _is_http(url):
        raise InvalidWebhook(f"webhook of the job {job.id}: must be like https://host/path")
    if not config.settings().webhook_secret:
        raise InvalidWebhook(f"webhook of the job {job.id}: set WEBHOOK_SECRET, which signs it")
    delivery = _hash(NewJob(INTEGRATIONS, DELIVER_WEBHOOK, f"webhook-{job.id}"))
    for name in ("data", "created_at", "description"):
        del delivery[name]
    flat = [str(part) for pair in delivery.items() for part in pair]
    return json.dumps({"url": url, "func": DELIVER_WEBHOOK, "queue": INTEGRATIONS, "fields": flat})


def _is_http(url: str) -> bool:
    with suppress(ValueError):  # brackets that do not match
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    return False
