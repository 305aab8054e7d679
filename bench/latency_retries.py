"""Retries on an idle worker: `python -m bench.latency_retries <folder> <jobs>`; each job fails twice."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any
from uuid import uuid4

from rq.registry import ScheduledJobRegistry

from bench import processes, watched
from bench.watched import Watched
from queues import names
from queues.connection import redis
from queues.enqueue import NewJob, enqueue

APART = 0.1  # seconds between two jobs
JITTER = 0.2  # of the wait, to both sides, so that jobs that failed together do not come back together
RETRIES = 2
Dues = dict[str, dict[float, float]]  # by job: the Unix times of its retries, and the monotonic clock's


def retries(worker: Watched, jobs: int) -> dict[str, Any]:
    """In ms: `starts`, from the due time that Redis holds; `waits`, how far they are off the policy."""
    dues: Dues = defaultdict(dict)
    for _ in range(jobs):
        job_id = uuid4().hex
        enqueue(NewJob(names.CRM_EVENTS, "bench.jobs.fail_twice", job_id, {"name": job_id}))
        look(dues)
        processes.pause(APART)
    worker.wait_for(jobs * (1 + RETRIES), lambda: look(dues))
    started: dict[str, list[float]] = defaultdict(list)
    for entry in worker.starts():
        started[entry.name].append(entry.at)
    found = [distances(runs, sorted(dues[job_id].values())) for job_id, runs in started.items()]
    return {
        "starts": [late for each in found for late in each[0]],
        "waits": [off for each in found for off in each[1]],
    }


def look(dues: Dues) -> None:
    """Note the due times of retries; each waits for longer than a look takes."""
    registry = ScheduledJobRegistry.key_template.format(names.CRM_EVENTS)
    offset = time.monotonic() - time.time()
    scheduled: Any = redis().zrange(registry, 0, -1, withscores=True)
    for job_id, due in scheduled:
        dues[job_id.decode()].setdefault(due, due + offset)


def distances(runs: list[float], dues: list[float]) -> tuple[list[float], list[float]]:
    """Of one job, from its starts and the due times of its retries."""
    if len(runs) != 1 + RETRIES or len(dues) != RETRIES:
        raise processes.Failed(f"a job ran {len(runs)} times and was due again {len(dues)} times")
    late = [(start - due) * 1_000 for start, due in zip(runs[1:], dues, strict=True)]
    chosen = [due - failed for failed, due in zip(runs[:-1], dues, strict=True)]
    policy = names.options(names.CRM_EVENTS).retry_waits
    return late, [beyond(wait, allowed) * 1_000 for wait, allowed in zip(chosen, policy, strict=False)]


def beyond(wait: float, allowed: float) -> float:
    """Seconds by which a wait is outside what the policy allows."""
    return max(0.0, allowed * (1 - JITTER) - wait, wait - allowed * (1 + JITTER))


if __name__ == "__main__":
    watched.main(retries)
