"""The scheduler's memory in the document store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from structlog.testing import capture_logs

from jobs.run_ledger import RunLedger
from models import store
from models.cron_override import CronOverride
from models.tick import Tick
from queues.connection import redis
from queues.cron import Scheduler
from queues.cron_entry import CronEntry, Missed
from queues.cron_mark import Mark
from queues.cron_plan import plan

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ENTRY = CronEntry("mail", "*/5 * * * *", "tests.queues.sample_jobs.note", "email-sync", "Pull mail")
ID = "mail-20260601T1205"
pytestmark = pytest.mark.usefixtures("stores")


def rows() -> dict[str, tuple[str, str | None]]:
    return {row.id: (row.status, row.reason) for row in Tick.objects.order_by("due")}


def test_every_tick_leaves_a_row_with_what_became_of_it() -> None:
    patient = replace(ENTRY, missed=Missed.SKIP)
    with capture_logs() as lines:
        RunLedger().record([plan(patient, Mark(NOON), NOON + 7 * MINUTE)])
    assert rows() == {
        "mail-20260601T1200": ("missed", "no scheduler enqueued it in time"),
        ID: ("missed", "no scheduler for 2 min"),
    }
    assert [line["ticks"] for line in lines] == [2]


def test_what_the_store_could_not_take_is_written_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = RunLedger()

    def refuse(_rows: object) -> list[str]:
        raise store.StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(Tick, "record", refuse)
        ledger.record([plan(ENTRY, Mark(NOON), NOON)])
    assert rows() == {}
    assert ledger.unfinished(["mail", "other"]) == {"mail": ["mail-20260601T1200"]}
    ledger.record([])
    assert rows() == {"mail-20260601T1200": ("queued", None)}


def test_with_the_store_away_the_table_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = RunLedger()
    CronOverride.pause("email-sync", "ann", "moving")
    assert {entry.paused for entry in ledger.table() if entry.name == "email-sync"} == {"moving"}

    def refuse() -> None:
        raise store.StoreError("away")

    monkeypatch.setattr(CronOverride, "all", refuse)
    assert {entry.paused for entry in ledger.table() if entry.name == "email-sync"} == {"moving"}


def test_the_ledger_keeps_a_run_from_overlapping_and_a_lost_redis_from_losing_a_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = RunLedger()
    monkeypatch.setattr(ledger, "table", lambda: [replace(ENTRY, runner="jobs.runner.run")])
    cron = Scheduler(ledger, redis())
    with time_machine.travel(NOON, tick=False) as clock:
        for minute in (0, 5, 10):
            clock.move_to(NOON + minute * MINUTE)
            cron.wake(NOON + minute * MINUTE)
        redis().flushall()
        clock.move_to(NOON + 15 * MINUTE)
        cron.wake(NOON + 15 * MINUTE)
    assert rows() == {
        ID: ("queued", None),
        "mail-20260601T1210": ("skipped", f"the former run is not over: {ID}"),
        "mail-20260601T1215": ("queued", None),
    }
