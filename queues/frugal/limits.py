"""Rates and caps of the queues, kept by each worker for itself: Redis is not asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from queues import rates
from queues.claim import Claimed
from queues.names import QUEUES


class Limits:
    """Which queues may start a job now. Used by the main thread only."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}  # monotonic: when a steady stream would have come so far

    def note_start(self, queue: str) -> None:
        if rate := rates.per_second(queue):
            self._arrivals[queue] = max(time.monotonic(), self._arrivals.get(queue, 0.0)) + 1 / rate

    def opens_in(self, queue: str) -> float:
        """Seconds until the queue's rate allows a start; up to one second's worth may come at once."""
        rate = rates.per_second(queue)
        if not rate:
            return 0.0
        slack = (max(1.0, rate) - 1) / rate
        return max(0.0, self._arrivals.get(queue, 0.0) - slack - time.monotonic())

    def open(self, queues: Iterable[str], running: Sequence[Claimed]) -> list[str]:
        """Those of the queues that may start a job now."""
        return [queue for queue in queues if not self.opens_in(queue) and not is_full(queue, running)]


def is_full(queue: str, running: Iterable[Claimed]) -> bool:
    """Whether so many of the queue's jobs run here that no other may start."""
    most = QUEUES[queue].max_running
    return bool(most) and sum(claimed.job.origin == queue for claimed in running) >= most
