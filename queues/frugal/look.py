"""The look for what rings no bell: delayed jobs, jobs of dead workers, jobs that came without a bell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from redis import Redis

from queues import clock, retention, times
from queues.claim import STALLED_RESULT
from queues.names import BY_PRIORITY, QUEUES
from queues.scripts import Call, run

EVERY = 7_200.0  # seconds between two looks for everything
TRIM = 7_000  # seconds between two trims, by one worker of the fleet

Scope = Literal["delayed", "all", "workers"]  # each holds what the one before it does


class Look:
    """When to look, at what, and what was seen. Used by the main thread only."""

    def __init__(self, connection: Redis, worker_name: str, lapse: float):
        """`lapse`: seconds after which a silent worker counts as dead."""
        self.paused: set[str] = set()
        self._connection, self._name, self._lapse = connection, worker_name, lapse
        self._due: dict[str, float] = {}  # queue -> Unix time of its next delayed job
        self._next, self._is_first = 0.0, True  # monotonic

    def hear(self, news: str) -> Scope | None:
        """What a doorbell says: "<due> <queue>" of a delayed job, "1" = look, "" = nothing new here."""
        due, _, queue = news.partition(" ")
        if queue in QUEUES:
            self._due[queue] = min(float(due), self._due.get(queue, float("inf")))
        return "all" if news == "1" else None

    def when_due(self, scope: Scope | None) -> list[str]:
        """Look at what that says, or at what is due; returns ids of jobs that are quarantined now.

        Raises `RedisError`.
        """
        due = [queue for queue, moment in self._due.items() if moment <= clock.now()]
        if time.monotonic() >= self._next:
            return self._look("workers", BY_PRIORITY)
        if scope or due:
            return self._look(scope or "delayed", BY_PRIORITY if scope else due)
        return []

    def next_moment(self) -> float:
        """Unix time of the next look."""
        return min([clock.now() + self._next - time.monotonic(), *self._due.values()])

    def _look(self, scope: Scope, queues: Sequence[str]) -> list[str]:
        args = [*_now(), self._name, STALLED_RESULT, scope, int(self._lapse), *queues]
        quarantined, paused, has_others, has_ended, *due = run(
            self._connection, Call("frugal_look", (), args)
        )[0]
        self._due = {queue: at for queue, at in self._due.items() if queue not in queues}
        self._due |= zip(_texts(due[::2]), map(float, due[1::2]), strict=True)
        if scope != "delayed":
            self.paused = set(_texts(paused))
        if scope == "workers":
            self._plan_next(bool(has_others))
        if has_ended:
            retention.trim_when_due(self._connection, TRIM)
        return _texts(quarantined)

    def _plan_next(self, has_other_workers: bool) -> None:
        """After the first look, another one when the key of a worker that died just before it has lapsed."""
        self._next = time.monotonic() + (self._lapse if self._is_first and has_other_workers else EVERY)
        self._is_first = False


def put_back_unreadable(connection: Redis, taken: str) -> None:
    """Put back what stands in a slot's list; the second time it becomes a dead letter."""
    run(connection, Call("frugal_return", (), [*_now(), taken, STALLED_RESULT]))


def _now() -> list[Any]:
    now = clock.moment()
    return [now.timestamp(), times.text(now)]


def _texts(found: Sequence[bytes]) -> list[str]:
    return [each.decode() for each in found]
