"""The slots of a worker: how many jobs it may run at once, and which ones it runs."""

from __future__ import annotations

import threading

from queues.claim import Claimed


class Slots:
    """Shared by the main thread, which fills slots, and the jobs' threads, which free them."""

    def __init__(self, number: int):
        self.number = number
        self._running: dict[str, Claimed] = {}  # by execution id
        self._change = threading.Condition()
        self._is_interrupted = False
        self.ended = 0  # jobs so far

    @property
    def free(self) -> int:
        return self.number - len(self._running)

    @property
    def are_all_free(self) -> bool:
        return not self._running

    def running(self) -> list[Claimed]:
        with self._change:
            return list(self._running.values())

    def take(self, claimed: Claimed) -> None:
        with self._change:
            self._running[claimed.execution.id] = claimed

    def exchange(self, done: Claimed, following: Claimed | None) -> None:
        """A job is done; its slot goes to the following one, or is free."""
        with self._change:
            del self._running[done.execution.id]
            self.ended += 1
            if following:
                self._running[following.execution.id] = following
            self._change.notify_all()

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
