"""The slots of a worker: how many jobs it may run at once, which ones it runs, and which it holds ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from queues.claim import Claimed

ALONE = 10.0  # seconds that a suspect runs alone: most of those that kill do so at once


class Slots:
    """Shared by the main thread, which fills slots, and the jobs' threads, which free them.

    A thread that goes on with another job keeps its slot, and wakes nobody.
    """

    def __init__(self, number: int):
        self.number = number
        self._running: dict[str, Claimed] = {}  # by execution id; single changes need no lock
        self._ahead: deque[Claimed] = deque()  # claimed, and about to run
        self._expected: set[str] = set()  # execution ids
        self._change = threading.Condition()
        self._is_interrupted = False
        self.ended = 0  # jobs so far

    @property
    def free(self) -> int:
        if any(claimed.is_suspect and claimed.seconds < ALONE for claimed in self.running()):
            return 0
        return max(0, self.number - len(self._running))  # a finished job counts until its thread let it go

    @property
    def are_all_free(self) -> bool:
        return not self._running

    def running(self) -> list[Claimed]:
        return list(self._running.values())

    def take(self, claimed: Claimed) -> None:
        self._running[claimed.execution.id] = claimed

    def hold(self, claimed: Claimed) -> None:
        """Claimed ahead: it starts when a thread is done with its job."""
        self._ahead.append(claimed)

    def ahead(self) -> list[Claimed]:
        return list(self._ahead)

    def take_ahead(self) -> Claimed | None:
        """The next of those, which runs now."""
        with suppress(IndexError):
            claimed = self._ahead.popleft()
            self.take(claimed)
            return claimed
        return None

    def drop_ahead(self) -> list[Claimed]:
        """Let go of those; they are to be handed back."""
        dropped = []
        with suppress(IndexError):
            while True:
                dropped.append(self._ahead.pop())
        return dropped[::-1]

    def end(self, done: Claimed, *, frees_slot: bool = True) -> None:
        """A job is done; with the last one of its thread the slot is free."""
        del self._running[done.execution.id]
        self.ended += 1  # by two threads at once one may be lost: it only tells when to start afresh
        if frees_slot:
            with self._change:
                self._change.notify_all()

    @contextmanager
    def expecting(self, executions: Sequence[str]) -> Iterator[None]:
        """While a claim for these executions is under way, they count as known."""
        self._expected.update(executions)
        try:
            yield
        finally:
            self._expected.difference_update(executions)

    def knows(self, execution: str) -> bool:
        # In this order: what is expected becomes what runs.
        return (
            execution in self._expected
            or any(claimed.execution.id == execution for claimed in self.ahead())
            or execution in self._running
        )

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
