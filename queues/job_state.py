"""Where one job stands: for whoever asks about it by its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rq.job import JobStatus
from rq.registry import ScheduledJobRegistry

from queues import batches, cron_control, progress, records
from queues.connection import redis
from queues.job import Job

_TRIED = (JobStatus.STARTED, JobStatus.FINISHED)
_COUNTED_ANEW = (JobStatus.FAILED, JobStatus.STOPPED)  # a dead letter has all its retries again


class NoJob(LookupError):
    """Redis knows no job of this id."""

    permanent = True


@dataclass(frozen=True)
class JobState:
    """What Redis holds of a job. Times are UTC."""

    id: str
    status: str
    queue: str
    func: str
    description: str
    created_at: datetime | None
    enqueued_at: datetime | None
    due_at: datetime | None  # of a delayed job, or one that is to be retried
    started_at: datetime | None
    ended_at: datetime | None
    worker: str  # the one that took it last
    tries: int | None  # so far; None for a dead letter: a requeue counts anew
    most_tries: int
    stalls: int  # how often a worker died with it
    error: str  # of its latest run, if that failed
    progress: progress.Progress | None
    batch: batches.Progress | None  # of the batch whose callback it is
    batches: list[str]  # those that it is a member of
    waits_for: dict[str, str]  # status by id; "gone" for what Redis has dropped
    followed_by: dict[str, str]


def statuses(ids: Sequence[str]) -> dict[str, str]:
    """The status of each of the jobs that Redis knows, in one round trip. Raises `RedisError`."""
    with redis().pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hget(Job.key_for(job_id), "status")
        found = pipeline.execute()
    return {job_id: status.decode() for job_id, status in zip(ids, found, strict=True) if status}


def get(job_id: str) -> JobState:
    """The state of a job, in six round trips at most. Raises `NoJob`, `RedisError`."""
    record = records.read([job_id])[0]
    if record.job is None:
        raise NoJob(f"there is no job {job_id}: there never was, or it has ended and was dropped since")
    return _state(record, record.job)


def _state(record: records.Record, job: Job) -> JobState:
    status = job.get_status(refresh=False)
    with redis().pipeline(transaction=False) as pipeline:
        pipeline.hmget(job.key, "batch", "stalls")
        pipeline.smembers(job.dependents_key)
        pipeline.zscore(ScheduledJobRegistry.key_template.format(job.origin), job.id)
        (member_of, stalls), dependents, due_at = pipeline.execute()
    following = sorted(each.decode() for each in dependents)
    neighbours = cron_control.states([*job.dependency_ids, *following])
    return JobState(
        id=job.id,
        status=status.value,
        queue=job.origin,
        func=records.call(job)[0],
        description=job.description or "",
        created_at=job.created_at,
        enqueued_at=job.enqueued_at,
        due_at=datetime.fromtimestamp(due_at, UTC) if due_at else None,
        started_at=job.started_at,
        ended_at=job.ended_at,
        worker=job.worker_name or "",
        tries=_tries(job, status),
        most_tries=1 + len(job.retry_intervals or ()),
        stalls=int(stalls or 0),
        error=record.error,
        progress=progress.of_job(job.id),
        batch=_batch(job.id),
        batches=(member_of or b"").decode().split(),
        waits_for={each: neighbours[each] or "gone" for each in job.dependency_ids},
        followed_by={each: neighbours[each] or "gone" for each in following},
    )


def _tries(job: Job, status: JobStatus) -> int | None:
    if status in _COUNTED_ANEW:
        return None
    return len(job.retry_intervals or ()) - (job.retries_left or 0) + (status in _TRIED)


def _batch(job_id: str) -> batches.Progress | None:
    try:
        return batches.progress(job_id)
    except batches.NoBatch:
        return None
