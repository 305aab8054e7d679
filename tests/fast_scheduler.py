"""A scheduler whose minutes last a fifth of a second: `python -m tests.fast_scheduler EPOCH`.

As scheduler.py but for its clock and its table of one entry, due each minute: so kills and stops meet ticks.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import config
from jobs.run_ledger import RunLedger
from models import store
from queues.connection import RedisError, connect
from queues.cron import Scheduler
from queues.cron_entry import CronEntry, Overlap

SPEED = 300.0
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ENTRY = CronEntry(
    "fast", "* * * * *", "tests.queues.sample_jobs.note", "analytics", "Each minute", overlap=Overlap.QUEUE
)


class OneEntry(RunLedger):
    def table(self) -> Sequence[CronEntry]:
        return (ENTRY,)


def now(epoch: float) -> datetime:
    """The time of a world in which it was noon at `epoch`."""
    return NOON + timedelta(seconds=(time.time() - epoch) * SPEED)


def main(epoch: float) -> None:
    store.connect(config.settings().mongodb_uri.get_secret_value())
    cron = Scheduler(OneEntry(), connect(config.settings().redis_location))
    pause = threading.Event()
    while True:
        try:
            due = cron.wake(now(epoch)) or NOON
        except RedisError:
            due = now(epoch) + timedelta(minutes=1)
        pause.wait(max(0.0, (due - now(epoch)).total_seconds() / SPEED))


if __name__ == "__main__":
    main(float(sys.argv[1]))
