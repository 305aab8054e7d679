"""Batches: many jobs, and one that is enqueued when all of them are done."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rq.job import JobStatus
from rq.utils import now, utcformat

import config
from queues import new_job
from queues.connection import redis
from queues.enqueue import BATCH
from queues.new_job import JobIsRunning, NewJob
from queues.scripts import Call, run

KEEP_UNFINISHED = 30 * 86_400  # seconds that a batch may take
RUNNING = -2  # what frugal_batch.lua says of a job that it came too late for
FAILED = (
    "the batch of this job failed: at least one of its jobs is a dead letter. "
    "Requeue those, and this job is enqueued when they have finished."
)


class NoBatch(LookupError):
    """There is no batch with a callback of this id, or it is long over."""

    permanent = True


class OtherBatch(ValueError):
    """A batch of this id exists, with another number of jobs."""

    permanent = True


@dataclass(frozen=True)
class Progress:
    """Numbers of jobs. A dead letter counts as failed until it has been requeued and has finished."""

    total: int
    done: int
    failed: int
    is_complete: bool  # its callback was enqueued


def batch(
    jobs: Sequence[NewJob], then: NewJob, *, on_failure: Literal["wait", "fail", "continue"] = "wait"
) -> int:
    """Enqueue jobs, and `then` once all of them are done, however often they run; returns how many are new.

    When one of them becomes a dead letter, `then`
    - "wait": waits, in RQ's deferred registry, until the dead letter was requeued and has finished;
    - "fail": becomes a dead letter at once, and is enqueued all the same when they have all finished;
    - "continue": is enqueued when each of the others is done or a dead letter.
    The batch goes by the id of `then`. Safe to repeat with the same jobs in the same order: what is there
    stays as it is, and a batch whose caller died half-way is completed. A job that exists already counts as
    it is. One round trip per 500 jobs. Raises `OtherBatch`, `RedisError`, and
    `JobIsRunning` in the frugal profile.
    """
    ids = {job.id for job in jobs} | {then.id}
    if len(ids) <= len(jobs):
        raise ValueError(f"the jobs of the batch {then.id} and its callback need an id each")
    keep = config.settings().failed_jobs_keep_days * 86_400
    head = [on_failure, utcformat(now()), KEEP_UNFINISHED, keep, _encoded(FAILED)]
    head += new_job.arguments(then, status=JobStatus.DEFERRED)
    script = "frugal_batch" if config.settings().is_frugal else "batch"
    new = 0
    for start in range(0, max(1, len(jobs)), BATCH):
        members = [arg for job in jobs[start : start + BATCH] for arg in new_job.arguments(job)]
        call = Call(script, [], [then.id, len(jobs), start, *head, *members])
        added = int(run(redis(), call)[0])
        if added == RUNNING:
            raise JobIsRunning(f"a job of the batch {then.id} runs already: nobody can wait for it now")
        if added < 0:
            raise OtherBatch(f"a batch {then.id} exists with another number of jobs than {len(jobs)}")
        new += added
    return new


def progress(batch_id: str) -> Progress:
    """How far a batch is, in one round trip. Raises `NoBatch`."""
    key = f"clianta:batch:{batch_id}"
    with redis().pipeline(transaction=False) as pipeline:
        pipeline.hmget(key, "total", "added", "completed_at")
        pipeline.scard(f"{key}:waiting")
        pipeline.scard(f"{key}:failed")
        (total, added, completed_at), waiting, failed = pipeline.execute()
    if total is None:
        raise NoBatch(f"there is no batch {batch_id}")
    return Progress(int(total), int(added) - waiting - failed, failed, completed_at is not None)


def _encoded(text: str) -> str:
    """As RQ stores a result's text."""
    return b64encode(zlib.compress(text.encode())).decode()
