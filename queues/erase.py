"""Delete jobs by what they carry, dead letters and results included: for whoever has to be forgotten.

Reads every job that Redis holds: one SCAN per 1,000 keys and two commands per job. It is a rare thing to do.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from rq.job import JobStatus
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry
from rq.results import Result

from queues import enqueue
from queues.connection import redis
from queues.job import Job
from queues.scripts import Call, run

BATCH = 500  # jobs read per round trip
SCANNED = 1_000  # keys looked at per SCAN
REGISTRY = {
    JobStatus.FINISHED: FinishedJobRegistry,
    JobStatus.FAILED: FailedJobRegistry,
    JobStatus.STOPPED: FailedJobRegistry,
    JobStatus.CANCELED: CanceledJobRegistry,
}


@dataclass(frozen=True)
class Erased:
    jobs: int
    running: int  # left alone: they have started, and end soon


@dataclass(frozen=True)
class _Found:
    id: str
    queue: str
    status: JobStatus
    text: str


def erase(matches: Callable[[str], bool]) -> Erased:
    """Delete the jobs whose text matches, whatever their state, except those that run.

    The text is all that Redis holds of a job: id, function, arguments, description, meta, errors, results;
    JSON in it is written as `json.dumps(…, ensure_ascii=False)` does. Jobs that wait are cancelled first,
    with what waits for them. Safe to run twice, and beside workers. Raises `RedisError`.
    """
    deleted = [_delete(job) for ids in _batches() for job in _read(ids) if matches(job.text)]
    return Erased(deleted.count(True), deleted.count(False))


def _batches() -> Iterator[list[str]]:
    prefix = Job.key_for("")
    keys = (key.decode().removeprefix(prefix) for key in redis().scan_iter(f"{prefix}*", SCANNED))
    ids = (job_id for job_id in keys if ":" not in job_id)  # a colon: what belongs to a job
    while batch := list(islice(ids, BATCH)):
        yield batch


def _read(ids: Sequence[str]) -> list[_Found]:
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hgetall(Job.key_for(job_id))
            pipeline.xrange(Result.get_key(job_id))
        answers = iter(pipeline.execute())
    found = [(job_id, next(answers), next(answers)) for job_id in ids]
    return [_found(job_id, fields, results) for job_id, fields, results in found if b"status" in fields]


def _found(
    job_id: str, fields: dict[bytes, bytes], results: list[tuple[bytes, dict[bytes, bytes]]]
) -> _Found:
    stored = [*fields.values(), *(_decoded(value) for _, result in results for value in result.values())]
    text = "\n".join([job_id, *map(_plain, stored)])
    return _Found(job_id, fields[b"origin"].decode(), JobStatus(fields[b"status"].decode()), text)


def _decoded(value: bytes) -> bytes:
    """RQ keeps parts of a result in base64."""
    with suppress(ValueError):
        return base64.b64decode(value, validate=True)
    return value


def _plain(value: bytes) -> str:
    """What a field says, whether it is packed, JSON or neither."""
    with suppress(zlib.error):
        value = zlib.decompress(value)
    text = value.decode(errors="replace")
    with suppress(ValueError, RecursionError):
        return json.dumps(json.loads(text), ensure_ascii=False)
    return text


def _delete(job: _Found) -> bool:
    """False when it runs, or has moved on since it was read."""
    status = job.status
    if status not in REGISTRY:
        if not enqueue.cancel(job.id):
            return False
        status = JobStatus.CANCELED
    registry = REGISTRY[status].key_template.format(job.queue)
    return bool(run(redis(), Call("drop", [registry], [job.id]))[0])
