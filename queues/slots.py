"""The slots of a worker: how many jobs it may run at once, and which ones it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from queues.claim import Claimed


class Slots:
    """Shared by the main thread, which fills slots, and the jobs' threads, which free them."""

    def __init__(self, number: int):
        self.number = number
        self._running: dict[str, Claimed] = {}  # by execution id
        self._expected: set[str] = set()  # execution ids
        self._change = threading.Condition()
        self._is_interrupted = False
        self.ended = 0  # jobs so far

    @property
    def free(self) -> int:
        return max(0, self.number - len(self._running))  # a finished job counts until its thread let it go

    @property
    def are_all_free(self) -> bool:
        return not self._running

    def running(self) -> list[Claimed]:
        with self._change:
            return list(self._running.values())

    def take(self, claimed: Claimed) -> None:
        with self._change:
            self._running[claimed.execution.id] = claimed

    def end(self, done: Claimed) -> None:
        """A job is done, and its slot is free."""
        with self._change:
            del self._running[done.execution.id]
            self.ended += 1
            self._change.notify_all()

    @contextmanager
    def expecting(self, executions: Sequence[str]) -> Iterator[None]:
        """While a claim for these executions is under way, they count as known."""
        with self._change:
            self._expected.update(executions)
        try:
            yield
        finally:
            with self._change:
                self._expected.difference_update(executions)

    def knows(self, execution: str) -> bool:
        with self._change:
            return execution in self._running or execution in self._expected

    def wait_for_a_free_one(self, seconds: float) -> None:
        with self._change:
            self._change.wait_for(lambda: self.free or self._is_interrupted, seconds)

    def wait_until_all_are_free(self, seconds: float) -> list[Claimed]:
        """Wait that long at most; returns what still runs."""
        with self._change:
            self._change.wait_for(lambda: self.are_all_free, seconds)
            return list(self._running.values())

    def interrupt(self) -> None:
        """End the wait for a free slot, now and in future."""
        with self._change:
            self._is_interrupted = True
            self._change.notify_all()
