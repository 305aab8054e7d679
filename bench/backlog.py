"""A Redis in which many jobs wait, and a worker that takes some from the front, turn by turn.

Between its turns the worker stands still (SIGSTOP). So several backlogs alternate within fractions of a
second, their workers warm, and a busy machine disturbs them alike. Workers start when every Redis is filled:
one that stood still for as long as a million jobs take to enqueue would leave as stuck.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import environment, ledger, processes, usage, watched
from bench.command import say
from bench.environment import Place
from bench.watched import Watched

FEEDER = (sys.executable, "-m", "bench.feeder")
TURN = 1_000  # jobs


@dataclass(frozen=True)
class Turn:
    rate: float  # jobs per second
    worker_ms: float  # processor time per job, of the worker
    redis_ms: float  # and of Redis


@dataclass(frozen=True)
class Filled:
    waiting: int  # jobs at the end of a turn
    bytes_per_job: float  # of Redis' memory
    enqueued_per_second: float  # while it was filled
    place: Place


@dataclass(frozen=True)
class Backlog:
    filled: Filled
    worker: Watched
    feed: Callable[[object], str]
    turns: list[Turn] = field(default_factory=list)

    def take(self) -> None:
        """A turn: the jobs of the last one are made up for, and the worker takes as many."""
        self.feed(ledger.length(self.worker.ledger))
        self.worker.forget()
        worker_before, redis_before = self._used_seconds()
        self.worker.go_on()
        self.worker.wait_for(TURN)
        self.worker.halt()
        worker_after, redis_after = self._used_seconds()
        starts = [entry.at for entry in self.worker.starts()]
        self.turns.append(
            Turn(
                (len(starts) - 1) / (starts[-1] - starts[0]),
                (worker_after - worker_before) * 1_000 / len(starts),
                (redis_after - redis_before) * 1_000 / len(starts),
            )
        )

    def worker_mb(self) -> float:
        return usage.megabytes([self.worker.process])

    def _used_seconds(self) -> tuple[float, float]:
        figures: dict[str, Any] = self.filled.place.redis.info("cpu")
        return usage.seconds([self.worker.process]), figures["used_cpu_user"] + figures["used_cpu_sys"]


@contextmanager
def filled(waiting: int, profile: str) -> Iterator[Filled]:
    """A Redis of its own, with so many jobs and those of a turn."""
    with environment.place(QUEUE_PROFILE=profile) as place:
        # Redis does not rewrite its log meanwhile: the fork would disturb whose turn it happens to be.
        place.redis.config_set("auto-aof-rewrite-percentage", 0)
        each, enqueued_per_second = _fill(place, waiting + TURN)
        say(f"{waiting:,} waiting jobs: {each:.0f} bytes each")
        yield Filled(waiting, each, enqueued_per_second, place)


@contextmanager
def backlog(filled: Filled) -> Iterator[Backlog]:
    """Its worker stands still until its first turn."""
    place = filled.place
    with (
        processes.answering(FEEDER, place.environment) as feed,
        watched.worker(place.folder, place.environment) as worker,
    ):
        worker.wait_for(ledger.WARM_UP)
        worker.halt()
        yield Backlog(filled, worker, feed)


def _fill(place: Place, jobs: int) -> tuple[float, float]:
    """Bytes that each job takes, the buffers of whoever enqueued it gone; jobs per second."""
    before = _bytes_held(place)
    with processes.answering(FEEDER, place.environment) as feed:
        seconds = float(feed(jobs))
    processes.wait_until(lambda: place.redis.info("clients")["connected_clients"] == 1, "a feeder's end", 10)
    return (_bytes_held(place) - before) / jobs, jobs / seconds


def _bytes_held(place: Place) -> int:
    """By Redis; not in what waits to be written to its log, which comes and goes."""
    figures: dict[str, Any] = place.redis.info("memory")
    return int(figures["used_memory"] - figures["mem_aof_buffer"])
