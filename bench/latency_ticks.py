"""Ticks on an idle worker: `python -m bench.latency_ticks <folder> <ticks>`.

The scheduler, in this process, is the real one and sleeps for real. After each tick its wall clock is set
to a second before the next minute and its bell is rung, so that not all of the minute has to pass.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

import config
from bench import processes, watched
from bench.schedule import EACH_MINUTE, MemoryLedger
from bench.watched import SECONDS, Watched
from queues import keys, profiles
from queues.connection import connect, redis
from queues.cron_plan import Plan

LEAD = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class TimedLedger(MemoryLedger):
    """Notes when each tick was enqueued, by the monotonic clock."""

    def __init__(self) -> None:
        super().__init__(EACH_MINUTE)
        self.enqueued: dict[str, float] = {}

    def record(self, plans: Sequence[Plan]) -> None:
        self.enqueued |= {plan.due.isoformat(): time.monotonic() for plan in plans}

    def wait_for(self, ticks: int) -> None:
        """The scheduler may hear later of its enqueue than the worker."""
        processes.wait_until(lambda: len(self.enqueued) >= ticks, "the scheduler", SECONDS)


def ticks(worker: Watched, number: int) -> dict[str, Any]:
    """In ms from the due time: `enqueues`, when its job was on the queue; `starts`."""
    kept, stop = TimedLedger(), threading.Event()
    scheduler = profiles.scheduler()(kept, connect(config.settings().redis_location))
    due: dict[str, float] = {}  # by the monotonic clock
    with time_machine.travel(datetime.now(UTC).replace(second=30), tick=True) as clock:
        threading.Thread(target=scheduler.run, args=(stop,), daemon=True).start()
        for tick in range(1, number + 1):
            moment = datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE
            clock.shift(moment - LEAD - datetime.now(UTC))
            due[moment.isoformat()] = time.monotonic() + (moment - datetime.now(UTC)).total_seconds()
            redis().rpush(keys.CRON_BELL, "1")
            worker.wait_for(tick)
            kept.wait_for(tick)
        stop.set()
    started = {entry.name: entry.at for entry in worker.starts()}
    return {
        "enqueues": [(kept.enqueued[name] - at) * 1_000 for name, at in due.items()],
        "starts": [(started[name] - at) * 1_000 for name, at in due.items()],
    }


if __name__ == "__main__":
    watched.main(ticks)
