"""rq-dashboard's endpoints that we answer ourselves, because its own are unsafe, slow or fail."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import rq_dashboard.web as theirs
from flask import jsonify, url_for
from rq.utils import as_text
from werkzeug.wrappers import Response as BaseResponse

from queues import counts, dead_letters, keys, records
from queues.connection import redis
from queues.enqueue import existing
from queues.job import Job
from queues.names import BY_PRIORITY, QUEUES
from queues.queue import Queue
from web.admin import guard

REGISTRIES = ("queued", "scheduled", "deferred", "started", "finished", "failed", "canceled")
COUNTED = {"queued": "waiting", "started": "running"}  # its names of states, where ours differ

View = Callable[..., Any]


def requeue_job(job_id: str) -> BaseResponse:
    if not dead_letters.requeue([job_id]).done:
        return guard.problem(404, f"there is no dead letter {job_id}")
    return jsonify(status="OK")


def requeue_all(queue_name: str) -> BaseResponse:
    if queue_name not in QUEUES:
        return guard.problem(404, f"there is no queue {queue_name}")
    return jsonify(status="OK", count=sum(moved.done for moved in dead_letters.requeue_all(queue_name)))


def compact(queue_name: str) -> BaseResponse:
    """Take the ids out of the queue whose job is gone. Unlike RQ's, it never takes out the others."""
    ids = [as_text(job_id) for job_id in redis().lrange(keys.queue_key(queue_name), 0, -1)]
    known = existing(ids)
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in set(ids) - known:
            pipeline.lrem(keys.queue_key(queue_name), 0, job_id)
        pipeline.execute()
    return jsonify(status="OK")


def list_queues(instance_number: int) -> BaseResponse:  # noqa: ARG001
    """Its counts of every queue, in one round trip instead of seven a queue."""
    others = {queue.name for queue in Queue.all(connection=redis())} - set(BY_PRIORITY)
    rows = counts.counts([*BY_PRIORITY, *sorted(others)])
    return jsonify(queues=[_row(row) for row in rows])


def _row(row: counts.QueueCounts) -> dict[str, Any]:
    cells: dict[str, Any] = {"name": html.escape(row.name), "count": row.waiting}
    for registry in REGISTRIES:
        cells[f"{registry}_job_registry_count"] = getattr(row, COUNTED.get(registry, registry))
        cells[f"{registry}_url"] = jobs_url(row.name, registry)
    return cells


def jobs_url(queue: str, registry: str) -> str:
    """The address of a queue's jobs in one state, the latest first."""
    place: dict[str, Any] = {"queue_name": queue, "registry_name": registry, "order": "dsc"}
    return url_for("rq_dashboard.jobs_overview", instance_number=0, per_page=8, page=1, **place)


def job_info(**arguments: Any) -> BaseResponse:
    """One job. Its page puts these texts into the page as HTML, so they are escaped here."""
    answer, _ = theirs.job_info(**arguments)
    return jsonify(_escape(answer.get_json()))


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value, quote=False)
    if isinstance(value, dict):
        return {_escape(name): _escape(part) for name, part in value.items()}
    return [_escape(part) for part in value] if isinstance(value, list) else value


def empty_queue(queue_name: str, registry_name: str) -> Any:
    if registry_name == "queued":
        return jsonify(status="OK", count=Queue(queue_name, connection=redis()).empty())
    if registry_name == "failed" and queue_name in QUEUES:
        return jsonify(status="OK", count=sum(moved.done for moved in dead_letters.purge_all(queue_name)))
    return theirs.empty_queue(queue_name, registry_name)


def page_of_jobs(
    queue_name: str, registry_name: str, offset: int, per_page: int, order: str, _connection: Any
) -> tuple[int, list[dict[str, Any]]]:
    """How many jobs there are, and one page of them: its own pages overlap and take two round trips a job."""
    total, ids = _page_of_ids(queue_name, registry_name, offset, per_page, order)
    found = records.read([as_text(entry).partition(":")[0] for entry in ids])
    return total, [_job_row(record.job, record.traceback) for record in found if record.job]


def _page_of_ids(queue: str, registry: str, offset: int, limit: int, order: str) -> tuple[int, list[Any]]:
    latest_first, connection = order == "dsc", redis()
    ids: list[Any]
    if kind := counts.REGISTRIES.get(COUNTED.get(registry, registry)):
        key = kind.key_template.format(queue)
        ids = list(connection.zrange(key, offset, offset + limit - 1, desc=latest_first))
        return connection.zcard(key), ids
    key = keys.queue_key(queue)
    if latest_first:
        ids = connection.lrange(key, -offset - limit, -offset - 1)[::-1]
    else:
        ids = connection.lrange(key, offset, offset + limit - 1)
    return connection.llen(key), ids


def _job_row(job: Job, traceback: str) -> dict[str, Any]:
    times = {
        name: theirs.serialize_date(getattr(job, name)) for name in ("created_at", "started_at", "ended_at")
    }
    return {"id": job.id, "description": job.description, "exc_info": traceback or None, **times}


def current_job(job: Job | None) -> str | dict[str, Any]:
    """What its page of workers shows of a running job: no arguments, which may be anybody's data."""
    if job is None:
        return "idle"
    description = html.escape(job.description or job.id)
    return {"job_id": job.id, "created_at": theirs.serialize_date(job.created_at)} | dict.fromkeys(
        ("description", "call_string"), description
    )


# By the names of its endpoints.
MENDED: dict[str, View] = {
    "requeue_job_view": requeue_job,
    "requeue_all": requeue_all,
    "compact_queue": compact,
    "list_queues": list_queues,
    "job_info": job_info,
    "empty_queue": empty_queue,
}
