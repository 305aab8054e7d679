"""What Redis holds of some jobs, read in one round trip: the job and why it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import JobStatus
from rq.results import Result
from rq.serializers import JSONSerializer

from queues.connection import redis
from queues.job import Job

# Like "ValueError: message" at the margin, or after the bars of an exception group.
_EXCEPTION = re.compile(r"^(?:\s*\| )?((?:\w+\.)*[A-Z]\w*(?:: .*)?)$")
_TO_BE_TRIED = (JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.STARTED)


@dataclass(frozen=True)
class Record:
    id: str
    job: Job | None  # None: it has expired, or is damaged
    traceback: str  # of its latest run that ended; empty unless that failed

    @property
    def error(self) -> str:
        """The line of the traceback that names the exception; of a group, the last of its exceptions."""
        lines = self.traceback.strip().splitlines() or [""]
        named = [match[1] for line in lines if (match := _EXCEPTION.match(line))]
        return named[-1] if named else lines[-1].strip()


def read(ids: Sequence[str]) -> list[Record]:
    """The jobs of these ids, in their order. Two commands each, one round trip. Raises `RedisError`."""
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hgetall(Job.key_for(job_id))
            pipeline.xrevrange(Result.get_key(job_id), count=1)
        answers = iter(pipeline.execute())
    return [_record(job_id, next(answers), next(answers)) for job_id in ids]


def call(job: Job) -> tuple[str, dict[str, Any]]:
    """The dotted name of its function, and its arguments."""
    try:
        return job.func_name or "", job.kwargs
    except DeserializationError:
        return "(unreadable: not JSON)", {}


def _record(job_id: str, fields: dict[bytes, bytes], results: list[Any]) -> Record:
    try:
        job = Job(job_id, connection=redis())
        job.restore(fields)
    except (NoSuchJobError, ValueError):  # ValueError: an id that RQ refuses, of another program
        return Record(job_id, None, "")
    return Record(job_id, job, _traceback(job, results))


def _traceback(job: Job, results: list[Any]) -> str:
    if job._exc_info and (not results or job.get_status(refresh=False) in _TO_BE_TRIED):
        return job._exc_info  # of a run that is to be retried: that leaves no result
    if not results:
        return ""
    result_id, payload = results[0]
    result = Result.restore(job.id, result_id.decode(), payload, redis(), serializer=JSONSerializer)
    return result.exc_string or ""
