"""How many jobs a worker has run, for RQ's tools: counted here, written now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError

SUCCESSES, FAILURES, SECONDS = "successful_job_count", "failed_job_count", "total_working_time"  # RQ's fields


class Tally:
    """Since the process began; a worker that is killed loses what has not been written. Statistics only."""

    def __init__(self) -> None:
        self._totals: dict[str, float] = {SUCCESSES: 0, FAILURES: 0, SECONDS: 0.0}
        self._counting, self._sending = threading.Lock(), threading.Lock()
        self._is_written = True

    def add(self, what: str, amount: float = 1) -> None:
        with self._counting:
            self._totals[what] += amount
            self._is_written = False

    def totals(self) -> dict[str, float]:
        with self._counting:
            return dict(self._totals)

    def write(self, connection: Redis, worker_key: str, state: Callable[[], str]) -> None:
        """Write it and the state of that moment, by one command; none when nothing was added.

        While another thread writes, that one writes once more instead of us: nobody waits.
        """
        while not self._is_written and self._sending.acquire(blocking=False):
            try:
                self._is_written = True
                fields: dict[Any, Any] = {**self.totals(), "state": state()}
                connection.hset(worker_key, mapping=fields)
            except RedisError:
                self._is_written = False
                raise
            finally:
                self._sending.release()
