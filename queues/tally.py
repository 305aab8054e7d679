"""How many jobs a worker has run, for RQ's tools: counted here, written now and then."""

from __future__ import annotations

import threading
from collections import Counter

from redis import Redis

SUCCESSES, FAILURES, SECONDS = "successful_job_count", "failed_job_count", "total_working_time"


class Tally:
    """What has not been written yet: a worker that is killed, or loses Redis, loses that. Statistics only."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()
        self._seconds = 0.0
        self._lock = threading.Lock()

    def add(self, what: str, seconds: float) -> None:
        with self._lock:
            self._counted[what] += 1
            self._seconds += seconds

    def write(self, connection: Redis, worker_key: str) -> None:
        """Add it to the worker's hash, in RQ's fields. One round trip, none when there is nothing."""
        with self._lock:
            counted, seconds = self._counted, self._seconds
            self._counted, self._seconds = Counter(), 0.0
        if counted:
            with connection.pipeline(transaction=False) as pipeline:
                for name, number in counted.items():
                    pipeline.hincrby(worker_key, name, number)
                pipeline.hincrbyfloat(worker_key, SECONDS, seconds)
                pipeline.execute()
