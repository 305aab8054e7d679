"""The cron table in Redis: exact ticks, each once, however many schedulers run.

One script call moves each due entry to its next time and enqueues a fresh job; who moves it, decides. So
there is no lock, and nothing is half done.

    sleep until something is due, or the bell rings ──▶ read the table ──▶ plan ──▶ move and enqueue ──▶ …

A wake-up costs the wait and the read, and one ZADD per due entry beyond its enqueue. Schedulers' clocks must
agree to AHEAD_INTERVAL; that is what NTP is for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from redis import Redis, RedisError

from queues import cron_control, keys
from queues.cron_entry import CronEntry, Overlap
from queues.cron_plan import plan
from queues.cron_store import CronStore
from queues.cron_table import CronTable, Marks
from queues.doorbell import LONGEST, Doorbell
from queues.job import Job

log = structlog.get_logger()

RECONNECT = 2.0  # seconds between two tries to reach an absent Redis, or to make it hold our table
HEARTBEAT = 60.0  # seconds between two signs of life at most; the key lapses after two and a half
EARLY = 0.25  # seconds before a tick that the wait on the bell ends: Redis ends one up to 0.1 s late


class Scheduler(CronTable):
    """Holds a cron table and enqueues its ticks. Any number may run at once."""

    longest_wait = LONGEST

    def __init__(
        self, store: CronStore, connection: Redis, *, name: str | None = None, heartbeat: float = HEARTBEAT
    ):
        super().__init__(connection=connection, interval=int(heartbeat), job_class=Job, name=name)
        self.table: dict[str, CronEntry] = {}
        self._store = store
        self._heartbeat = heartbeat
        self._heartbeat_due = 0.0  # by the monotonic clock
        self._registered: dict[str, dict[str, str]] | None = None  # the lines that Redis was told
        self._bell = Doorbell(connection, keys.CRON_BELL, self.longest_wait)

    # The loop.

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set: enqueue what is due, sleep until the next entry is due.

        Outlives an absent Redis: it tries again every RECONNECT seconds, and nothing due is forgotten.
        """
        threading.Thread(target=self._end_wait_on, args=(stop,), daemon=True).start()
        while not stop.is_set():
            try:
                self._sleep_until(self.wake(datetime.now(UTC)), stop)
            except RedisError as error:
                log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
                stop.wait(RECONNECT)
        with suppress(RedisError):  # its key lapses by itself
            self.connection.delete(self.key)

    def _end_wait_on(self, stop: threading.Event) -> None:
        stop.wait()
        self._bell.interrupt()

    def _sleep_until(self, due: datetime | None, stop: threading.Event) -> None:
        """Until `due` by the wall clock, or until the bell rings.

        The bell wakes one scheduler only, and a clock may be set: at each heartbeat it looks at both.
        """
        while not stop.is_set():
            left = (due - datetime.now(UTC)).total_seconds() if due else self._heartbeat
            if left <= 0:
                return
            if left <= EARLY:
                stop.wait(left)
            elif self._bell.wait(min(left - EARLY, self._heartbeat)):
                self.connection.delete(keys.CRON_BELL)  # however often it rang
                self.forget()
                return
            self._show_life_when_due()
            if _lines(self._store.table()) != self._registered:
                return

    def forget(self) -> None:
        """Where the entries stand is to be read anew; this scheduler does at each wake-up."""

    def wake(self, moment: datetime) -> datetime | None:
        """Enqueue what is due; returns when the next entry is due, None without an entry."""
        self._adopt_table(moment)
        marks = self.read()
        if self.table.keys() - marks.keys():  # Redis came back empty
            self.register(moment)
            marks = self.read()
        marks |= self._set_back(marks, moment)
        marks |= self._tick(marks, moment)
        self._show_life_when_due()
        dues = [mark.due for mark in marks.values()]
        if self.table.keys() - marks.keys():  # taken out by the scheduler of another version, during a deploy
            dues.append(moment + timedelta(seconds=RECONNECT))
        return min(dues, default=None)

    # The table.

    def _adopt_table(self, moment: datetime) -> None:
        """Take over the table as it is now; Redis is told only what has changed."""
        self.table = {entry.name: entry for entry in self._store.table() if entry.enabled}
        if _lines(self.table.values()) != self._registered:
            self.register(moment)

    def register(self, moment: datetime) -> None:
        super().register(moment)
        self.forget()
        self._registered, self._heartbeat_due = _lines(self.table.values()), 0.0

    def last_ticks(self, names: Iterable[str]) -> Mapping[str, datetime]:
        return self._store.last_ticks(names)

    # Ticks.

    def _tick(self, marks: Marks, moment: datetime) -> Marks:
        """Decide on what is due, and record what this scheduler decided; returns the entries' next times."""
        due = {name: mark for name, mark in marks.items() if mark.due <= moment}
        unfinished = self._unfinished([name for name in due if self.table[name].overlap is Overlap.SKIP])
        plans = [plan(self.table[name], mark, moment, unfinished.get(name)) for name, mark in due.items()]
        ours = self.enqueue([p for p in plans if p.is_run]) + self.move([p for p in plans if not p.is_run])
        for decided in ours:
            log.info("⏰ tick", entry=decided.entry.name, due=decided.due.isoformat(), reason=decided.reason)
        self._store.record(ours)
        return {p.entry.name: p.moves_to for p in plans}

    def _unfinished(self, names: list[str]) -> dict[str, str]:
        """Of each entry whose former run is not over, one such job.

        The ledger names the candidates, so that an entry that is done costs no command; Redis decides. A run
        that ends between this look and the move is still taken for unfinished: its tick is on record as
        skipped, none is lost.
        """
        candidates = self._store.unfinished(names) if names else {}
        pairs = [(name, job_id) for name, ids in candidates.items() for job_id in ids]
        if not pairs:
            return {}
        states = cron_control.states([job_id for _, job_id in pairs], self.connection)
        return {name: job_id for name, job_id in pairs if states[job_id] in cron_control.NOT_OVER}

    def _set_back(self, marks: Marks, moment: datetime) -> Marks:
        """Move entries back whose last tick lies in the future: the clock was set back."""
        found = {name: mark.set_back(self.table[name], moment) for name, mark in marks.items()}
        changed = {name: mark for name, mark in found.items() if mark}
        if changed:
            log.warning("⚠️  the clock was set back", entries=sorted(changed))
            self.put_back(changed)
        return changed

    # Signs of life.

    def _show_life_when_due(self) -> None:
        if time.monotonic() < self._heartbeat_due:
            return
        lapses = int(2.5 * self._heartbeat)
        if not self.connection.expire(self.key, lapses):
            self.forget()  # the table may be gone, too
            self.connection.hset(self.key, "birth", time.time())
            self.connection.expire(self.key, lapses)
        self._heartbeat_due = time.monotonic() + 0.9 * self._heartbeat


def _lines(table: Iterable[CronEntry]) -> dict[str, dict[str, str]]:
    """What Redis is told of a table."""
    return {entry.name: entry.line for entry in table if entry.enabled}
