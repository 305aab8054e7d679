"""What Redis holds of some jobs, read in one round trip: the job and why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rq.exceptions import NoSuchJobError
from rq.results import Result
from rq.serializers import JSONSerializer

from queues.connection import redis
from queues.job import Job


@dataclass(frozen=True)
class Record:
    id: str
    job: Job | None  # None: it has expired, or is damaged
    traceback: str  # of its latest run; empty unless that failed


def read(ids: Sequence[str]) -> list[Record]:
    """The jobs of these ids, in their order. Two commands each, one round trip. Raises `RedisError`."""
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hgetall(Job.key_for(job_id))
            pipeline.xrevrange(Result.get_key(job_id), count=1)
        answers = iter(pipeline.execute())
    return [_record(job_id, next(answers), next(answers)) for job_id in ids]


def _record(job_id: str, fields: dict[bytes, bytes], results: list[Any]) -> Record:
    job = Job(job_id, connection=redis())
    try:
        job.restore(fields)
    except NoSuchJobError:
        return Record(job_id, None, "")
    return Record(job_id, job, _traceback(job, results))


def _traceback(job: Job, results: list[Any]) -> str:
    if not results:
        return job._exc_info or ""
    result_id, payload = results[0]
    result = Result.restore(job.id, result_id.decode(), payload, redis(), serializer=JSONSerializer)
    return result.exc_string or ""
