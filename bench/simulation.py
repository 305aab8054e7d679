"""Our workers and our scheduler as threads of this process, living by the skipping clock."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import config
from bench.billing import Bill, Meter
from bench.schedule import MemoryLedger
from bench.skipping import SkippingClock, next_midnight
from queues import profiles, register
from queues.connection import connect
from queues.cron_entry import CronEntry
from queues.worker import Worker


class Simulation:
    """So many workers, and a scheduler when there are entries."""

    def __init__(self, workers: int, entries: Sequence[CronEntry] | None):
        self._url = config.settings().redis_location
        self.meter = Meter(self._url)
        self.clock = SkippingClock(self.meter, next_midnight(), self._is_idle)
        self._workers: list[Worker] = []
        self._number, self._entries = workers, entries
        self._threads = workers + (entries is not None)
        self.ledger = MemoryLedger(entries or ())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started, settled, and the meter at zero."""
        with self.clock.running(), mock.patch.object(signal, "signal"):  # threads cannot set handlers
            for number in range(self._number):
                threading.Thread(target=self._work, args=(f"bench-{number}",), daemon=True).start()
            if self._entries is not None:
                threading.Thread(target=self._schedule, daemon=True).start()
            self.settle()
            self.meter.start()
            yield

    def settle(self) -> None:
        self.clock.settle(self._threads)

    def skip(self, seconds: float) -> None:
        self.clock.skip(seconds, self._threads)

    def bill(self) -> Bill:
        """Since the last one."""
        self.settle()
        bill = self.meter.bill()
        self.meter.start()
        return bill

    def _work(self, name: str) -> None:
        settings, connection = config.settings(), connect(self._url)
        register.register_queues(connection)
        worker = profiles.worker()(connection, name=name, concurrency=settings.queue_concurrency, grace=1)
        self._workers.append(worker)
        worker.work()

    def _is_idle(self) -> bool:
        return all(worker._slots.are_all_free for worker in self._workers)

    def _schedule(self) -> None:
        profiles.scheduler()(self.ledger, connect(self._url)).run(self.clock.event())
