"""Chains: B after A, C after B, on any queues. RQ's own dependents, so that its tools show them."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from rq.job import JobStatus
from rq.utils import now, utcformat

import config
from queues import new_job
from queues.connection import redis
from queues.enqueue import BATCH
from queues.new_job import JobIsRunning, NewJob
from queues.scripts import Call, run


def chain(*jobs: NewJob, on_failure: Literal["wait", "cancel", "continue"] = "wait") -> int:
    """Enqueue jobs of which each starts when the one before it has finished; returns how many are new.

    When a job becomes a dead letter, the rest
    - "wait": stays in RQ's deferred registry; it goes on when the dead letter is requeued and finishes;
    - "cancel": is cancelled for good, even if the dead letter is requeued;
    - "continue": runs all the same.
    Purging the dead letter cancels what waits for it. A chain is enqueued whole or not at all, by one script
    call; again changes nothing. A job that exists already takes its place in the chain as it is. Raises
    `JobIsRunning` in the frugal profile, `RedisError`.
    """
    ids = [job.id for job in jobs]
    if len(set(ids)) < len(ids):
        raise ValueError(f"a chain's jobs need an id each; got {', '.join(ids)}")
    if not 0 < len(jobs) <= BATCH:
        raise ValueError(f"a chain has 1 to {BATCH} jobs; got {len(jobs)}")
    arguments = new_job.arguments(jobs[0])
    for before, job in pairwise(jobs):
        arguments += new_job.arguments(
            job, status=JobStatus.DEFERRED, after=before, even_if_that_fails=on_failure == "continue"
        )
    script = "frugal_chain" if config.settings().is_frugal else "chain"
    new = int(run(redis(), Call(script, [], [on_failure, utcformat(now()), *arguments]))[0])
    if new < 0:
        raise JobIsRunning(f"one of the jobs {', '.join(ids)} runs already: no other can wait for it now")
    return new
