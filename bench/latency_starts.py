"""Enqueue to start: `python -m bench.latency_starts <folder> <rounds> <fill> <idle> <seconds of load>`."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, repeat, takewhile
from typing import Any
from uuid import uuid4

from bench import processes, watched
from bench.watched import Watched
from queues.enqueue import NewJob, enqueue, enqueue_many
from queues.names import CRM_EVENTS

PAUSE = 0.01  # seconds until a worker surely waits again; and as much at random
SEED = 4  # the same arrivals in each run


def starts(worker: Watched, rounds: int, fill: int, idle: int, seconds: int) -> dict[str, Any]:
    """Per round the worker's own rate, and samples in ms."""
    random.seed(SEED)
    return {"rounds": [_round(worker, fill, idle, seconds) for _ in range(rounds)]}


def _round(worker: Watched, fill: int, idle: int, seconds: int) -> dict[str, Any]:
    rate = own_rate(worker, fill)
    alone = [one_by_one(worker) for _ in range(idle)]
    pace, load = half_load(worker, rate / 2, seconds)
    return {"rate": rate, "idle": alone, "pace": pace, "load": load}


def own_rate(worker: Watched, jobs: int) -> float:
    """Jobs per second, from the moment at which all of them are on the queue."""
    worker.forget()
    enqueue_many([_job(0) for _ in range(jobs)])
    filled = time.monotonic()
    worker.wait_for(jobs)
    after = [entry.at for entry in worker.starts() if entry.at > filled]
    if len(after) < jobs / 4:
        raise processes.Failed(f"{jobs} jobs are too few to tell the rate of this worker")
    return (len(after) - 1) / (after[-1] - after[0])


def one_by_one(worker: Watched) -> float:
    """A job for an idle worker: ms until it starts."""
    worker.forget()
    enqueue(_job(time.monotonic()))
    worker.wait_for(1)
    processes.pause(PAUSE * random.uniform(1, 2))
    return _delays(worker)[0]


def half_load(worker: Watched, rate: float, seconds: int) -> tuple[float, list[float]]:
    """The share of the planned pace that was kept, and ms from each arrival to the job's start.

    Open loop: arrivals are planned beforehand. Those that have come while one call was sent go into the next.
    """
    worker.forget()
    started = time.monotonic()
    planned = [started + at for at in arrivals(rate, seconds)]
    sent = 0
    while sent < len(planned):
        come = bisect_right(planned, time.monotonic())
        enqueue_many([_job(at) for at in planned[sent:come]])
        sent = come
        if sent < len(planned):
            processes.pause(max(0.0, planned[sent] - time.monotonic()))
    pace = (planned[-1] - started) / (time.monotonic() - started)
    worker.wait_for(sent)
    return pace, _delays(worker)


def arrivals(rate: float, seconds: float) -> Iterator[float]:
    """Seconds at which jobs come, at random and independently (Poisson)."""
    gaps = (random.expovariate(each) for each in repeat(rate))
    return takewhile(lambda at: at < seconds, accumulate(gaps))


def _delays(worker: Watched) -> list[float]:
    """Ms from arrival to start: each job is on record under its time of arrival."""
    return [(entry.at - float(entry.name)) * 1_000 for entry in worker.starts()]


def _job(arrival: float) -> NewJob:
    return NewJob(CRM_EVENTS, "bench.jobs.noted", uuid4().hex, {"name": repr(arrival)})


if __name__ == "__main__":
    watched.main(starts)
