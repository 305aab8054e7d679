"""The scheduler's memory outside Redis: overrides of the cron table, and the run ledger.

With the store away the scheduler goes on with what it knew, and what it has to write waits in here. Should it
die meanwhile, the watchdog or the job itself writes the row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from jobs import schedule
from models import store
from models.cron_override import CronOverride
from models.tick import MISSED, QUEUED, SKIPPED, Tick
from queues.cron_entry import CronEntry
from queues.cron_plan import Plan

log = structlog.get_logger()

MOST_WAITING = 10_000  # rows kept while the store is away: two weeks of the default table
NO_SCHEDULER = "no scheduler enqueued it in time"


class RunLedger:
    """A `CronStore` in MongoDB; its table is empty unless it `is_on`."""

    def __init__(self, *, is_on: bool = True) -> None:
        self._is_on = is_on
        self._overrides: Mapping[str, CronOverride] = {}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)

    def table(self) -> Sequence[CronEntry]:
        if not self._is_on:
            return ()
        try:
            self._overrides = CronOverride.all()
        except store.StoreError as error:
            log.error("❌ overrides of the cron table could not be read", error=str(error))
        return schedule.table(self._overrides)

    def last_ticks(self, names: Iterable[str]) -> Mapping[str, datetime]:
        try:
            return Tick.last_due(names)
        except store.StoreError as error:
            log.error("❌ the last ticks could not be read: none is made up for", error=str(error))
            return {}

    def unfinished(self, names: Iterable[str]) -> Mapping[str, Sequence[str]]:
        wanted = set(names)
        found: dict[str, list[str]] = {}
        try:
            for row in Tick.unfinished(wanted):
                found.setdefault(row.entry, []).append(row.id)
        except store.StoreError as error:
            log.error("❌ the run ledger could not be read: runs may overlap", error=str(error))
        for waiting in self._waiting:
            if waiting["entry"] in wanted and waiting["status"] == QUEUED:
                found.setdefault(waiting["entry"], []).append(waiting["id"])
        return found

    def record(self, plans: Sequence[Plan]) -> None:
        for decided in plans:
            self._waiting.extend(_rows(decided))
            if missed := len(decided.earlier) + bool(decided.missed):
                log.error("❌ ticks missed", entry=decided.entry.name, ticks=missed)
        if not self._waiting:
            return
        try:
            Tick.record(self._waiting)
        except store.StoreError as error:
            log.error("❌ the run ledger could not be written; trying again", error=str(error))
        else:
            self._waiting.clear()


def _rows(decided: Plan) -> Iterable[dict[str, Any]]:
    for due in decided.earlier:
        yield _row(decided.entry, due, status=MISSED, reason=NO_SCHEDULER)
    if decided.is_run:
        yield _row(decided.entry, decided.due, status=QUEUED, enqueued_at=store.now())
    else:
        status = SKIPPED if decided.skipped else MISSED
        yield _row(decided.entry, decided.due, status=status, reason=decided.reason)


def _row(entry: CronEntry, due: datetime, **fields: Any) -> dict[str, Any]:
    return {"id": entry.id_of(due), "entry": entry.name, "due": due, **fields}
