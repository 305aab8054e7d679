"""A job to be, and what Redis will hold of it: a hash exactly as RQ writes it, with fields of our own."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from rq.job import JobStatus, validate_job_id
from rq.serializers import JSONSerializer
from rq.utils import now

import config
from queues import times
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

    @property
    def lane(self) -> str:
        """Among whose jobs it waits when its queue is long: its workspace's (see lua/lanes.lua)."""
        return str(self.meta.get("workspace_id", ""))


class JobIsRunning(RuntimeError):
    """In the frugal profile, nobody can begin to wait for a job that runs; try again when it is over."""

    retry_after = 5.0


class InvalidWebhook(ValueError):
    """A job's webhook can never be delivered."""

    permanent = True


def arguments(
    job: NewJob,
    place: str | None = None,
    *,
    status: JobStatus = JobStatus.QUEUED,
    after: NewJob | None = None,
    even_if_that_fails: bool = False,
) -> list[Any]:
    """A job as the scripts take it: id, queue, place, lane, number of fields and values, then these.

    `place` is "back", "front" or a Unix time. Raises `UnknownQueue`, `InvalidWebhook`, ValueError for a bad
    id, TypeError for arguments that are not JSON.
    """
    validate_job_id(job.id)
    fields = _hash(job, status)
    if after:
        fields |= {"dependency_id": after.id, "dependency_ids": json.dumps([after.id])}
    if even_if_that_fails:
        fields["allow_dependency_failures"] = 1
    if job.webhook:
        fields["webhook"] = _webhook_plan(job, job.webhook)
    flat = [part for pair in fields.items() for part in pair]
    return [job.id, job.queue, place or ("front" if job.at_front else "back"), job.lane, len(flat), *flat]


def _hash(job: NewJob, status: JobStatus) -> dict[str, Any]:
    moment = times.text(now())
    settings = config.settings()
    keep = settings.completed_jobs_keep_hours * 3_600, settings.failed_jobs_keep_days * 86_400
    fields = _common(job.queue, *keep) | {
        "created_at": moment,
        "data": zlib.compress(JSONSerializer.dumps((job.func, None, (), job.kwargs))),
        "description": job.description or job.func,
        "status": status.value,
    }
    if status == JobStatus.QUEUED:
        fields["enqueued_at"] = moment
    if job.meta:
        fields["meta"] = JSONSerializer.dumps(job.meta)
        if job.lane:
            fields["lane"] = job.lane
    if job.at_front:
        fields["enqueue_at_front"] = 1
    return fields


@cache
def _common(queue_name: str, result_ttl: int, failure_ttl: int) -> dict[str, Any]:
    """What the hashes of a queue's jobs have in common, as RQ writes it; made once: it takes longest."""
    queue = options(queue_name)
    record = Job.create(
        "",
        connection=redis(),
        origin=queue.name,
        timeout=queue.timeout,
        result_ttl=result_ttl,
        failure_ttl=failure_ttl,
    )
    record.retries_left = len(queue.retry_waits)
    record.retry_intervals = list(queue.retry_waits)
    return record.to_dict()


def _webhook_plan(job: NewJob, url: str) -> str:
    """The delivery as settle.lua completes it: only the end of the job tells what to deliver."""
    if not _is_http(url):
        raise InvalidWebhook(f"webhook of the job {job.id}: must be like https://host/path")
    if not config.settings().webhook_secret:
        raise InvalidWebhook(f"webhook of the job {job.id}: set WEBHOOK_SECRET, which signs it")
    delivery = _hash(NewJob(INTEGRATIONS, DELIVER_WEBHOOK, f"webhook-{job.id}"), JobStatus.QUEUED)
    for name in ("data", "created_at", "description"):
        del delivery[name]
    flat = [str(part) for pair in delivery.items() for part in pair]
    return json.dumps({"url": url, "func": DELIVER_WEBHOOK, "queue": INTEGRATIONS, "fields": flat})


def _is_http(url: str) -> bool:
    with suppress(ValueError):  # brackets that do not match
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    return False
