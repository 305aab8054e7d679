"""Celery with Redis as broker and result backend, on a pool of threads."""

from __future__ import annotations

import os

from celery import Celery

from bench import jobs
from bench.peers import producing

app = Celery("bench", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
noop = app.task(name="noop")(jobs.noop)

if __name__ == "__main__":
    producing.produce(lambda: noop.delay(jobs.PAYLOAD))
