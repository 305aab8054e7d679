"""Clianta Jobs: `worker.py` as it is deployed, without the limit of jobs per second.

`--batch` enqueues with `enqueue_many`.
"""

from __future__ import annotations

import sys
import time
from uuid import uuid4

from bench.jobs import PAYLOAD
from bench.peers import producing
from queues.enqueue import NewJob, enqueue, enqueue_many


def job() -> NewJob:
    return NewJob("crm-events", "bench.jobs.noop", uuid4().hex, {"payload": PAYLOAD})


def produce_batch(number: int) -> None:
    enqueue_many([job()])
    started = time.perf_counter()
    enqueue_many([job() for _ in range(number - 1)])
    print((time.perf_counter() - started) * number / (number - 1))


if __name__ == "__main__":
    if "--batch" in sys.argv:
        produce_batch(int(sys.argv[-1]))
    else:
        producing.produce(lambda: enqueue(job()))
