"""Notices scheduled runs that should have been and were not: each is on record, and an error in the log.

Two kinds: a tick without a row, because every scheduler died around it or one runs with another clock; and a
row that stands still, because no worker started its job, or the job is lost or a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

import structlog

from models import store
from models.tick import FAILED, MISSED, QUEUED, RAN, Tick
from queues import cron_control
from queues.cron_entry import CronEntry

START_LIMIT = timedelta(minutes=15)  # after its due time a job should have been started
SETTLE = timedelta(minutes=2)  # until then a scheduler may still write the row of a tick
MOST = 500  # rows looked at per check

log = structlog.get_logger()


class Watchdog:
    """Checks what was due since it was made. Any number may run: who changes a row, logs it."""

    def __init__(self, table: Callable[[], Sequence[CronEntry]], moment: datetime):
        self._table = table
        self._checked_until = moment
        self._suspects: dict[str, tuple[CronEntry, datetime]] = {}

    def check(self, moment: datetime) -> int:
        """Record and log what is wrong; returns how many ticks are. Raises `StoreError` or `RedisError`."""
        return self._without_row(moment) + self._standing_still(moment)

    def _without_row(self, moment: datetime) -> int:
        """Ticks without a row at two checks in a row: one that was stopped itself suspects too much."""
        recorded = Tick.existing(self._suspects)
        lost = {job_id: tick for job_id, tick in self._suspects.items() if job_id not in recorded}
        found = self._record(lost) if lost else 0
        due = self._due_until(moment - SETTLE)
        recorded = Tick.existing(due)
        self._suspects = {job_id: tick for job_id, tick in due.items() if job_id not in recorded}
        self._checked_until = max(self._checked_until, moment - SETTLE)
        return found

    def _due_until(self, end: datetime) -> dict[str, tuple[CronEntry, datetime]]:
        ticks = {}
        for entry in self._table():
            start = max(self._checked_until, entry.since or self._checked_until)
            for due in takewhile(lambda due: due <= end, entry.times_after(start)) if entry.enabled else ():
                ticks[entry.id_of(due)] = (entry, due)
        return ticks

    def _record(self, lost: dict[str, tuple[CronEntry, datetime]]) -> int:
        """A scheduler that died just after it enqueued a tick left a job without a row."""
        states = cron_control.states(list(lost))
        rows = [
            {"id": job_id, "entry": entry.name, "due": due}
            | (
                {"status": QUEUED, "enqueued_at": store.now()}
                if states[job_id]
                else {"status": MISSED, "reason": "no scheduler enqueued it"}
            )
            for job_id, (entry, due) in lost.items()
        ]
        missed = [job_id for job_id in Tick.record(rows) if not states[job_id]]
        for job_id in missed:
            _tell(job_id, "no scheduler enqueued it")
        return len(missed)

    def _standing_still(self, moment: datetime) -> int:
        rows = Tick.standing_still(before=moment - START_LIMIT, limit=MOST)
        states = cron_control.states([row.id for row in rows])
        return sum(_settle(row, states[row.id]) for row in rows)


def _settle(row: Tick, state: str | None) -> bool:
    is_started = row.started_at is not None
    verdict = _verdict(state, is_started=is_started)
    if not verdict or not Tick.settle(row.id, verdict[0], is_started=is_started, reason=verdict[1]):
        return False
    _tell(row.id, verdict[1])
    return True


def _verdict(state: str | None, *, is_started: bool) -> tuple[str, str] | None:
    """The status and the reason of a row that stands still; None for a job that runs or is to be retried."""
    if state is None:
        return FAILED, "its job is gone from Redis"
    if state in ("failed", "stopped", "canceled"):
        return FAILED, f"its job is {state}"
    if state == "finished":
        return RAN, "its end was not recorded"
    if not is_started:
        return MISSED, f"not started within {START_LIMIT // timedelta(minutes=1)} min: is a worker alive?"
    return None


def _tell(job_id: str, reason: str) -> None:
    log.error("❌ scheduled run missed", job_id=job_id, reason=reason)
