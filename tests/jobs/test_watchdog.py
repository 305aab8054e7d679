"""Runs that should have been and were not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from structlog.testing import capture_logs

from jobs.watchdog import Watchdog
from models.tick import Tick
from queues import enqueue
from queues.connection import redis
from queues.cron_entry import CronEntry

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ENTRY = CronEntry("mail", "*/5 * * * *", "tests.queues.sample_jobs.note", "email-sync", "Pull mail")
ID = "mail-20260601T1205"
pytestmark = pytest.mark.usefixtures("stores")


def rows() -> dict[str, tuple[str, str | None]]:
    return {row.id: (row.status, row.reason) for row in Tick.objects.order_by("due")}


def watchdog() -> Watchdog:
    return Watchdog(lambda: [ENTRY], NOON)


def missed(lines: list[dict[str, object]]) -> list[object]:
    return [line["job_id"] for line in lines if line["event"] == "❌ scheduled run missed"]


def test_a_tick_that_no_scheduler_enqueued_is_missed_on_record_and_in_the_log_once() -> None:
    dogs = [watchdog(), watchdog()]
    with capture_logs() as lines:
        for minute in (8, 9, 10, 11):
            for dog in dogs:
                dog.check(NOON + minute * MINUTE)
    assert rows() == {ID: ("missed", "no scheduler enqueued it")}
    assert missed(lines) == [ID]  # type: ignore[arg-type]


def test_a_tick_on_record_is_left_alone_and_so_is_one_that_was_due_just_now() -> None:
    dog = watchdog()
    Tick.record([{"id": ID, "entry": "mail", "due": NOON + 5 * MINUTE, "status": "skipped"}])
    for minute in (8, 9, 10, 11):
        assert dog.check(NOON + minute * MINUTE) == 0
    assert set(rows()) == {ID}


def test_one_look_is_not_enough() -> None:
    """A process that was stopped sees all at once what it slept over; its scheduler is about to write it."""
    dog = watchdog()
    assert dog.check(NOON + 60 * MINUTE) == 0
    assert rows() == {}


def test_a_scheduler_killed_between_its_tick_and_its_row_leaves_a_run_on_record() -> None:
    dog = watchdog()
    enqueue.enqueue(ENTRY.job(NOON + 5 * MINUTE))
    for minute in (8, 9):
        assert dog.check(NOON + minute * MINUTE) == 0
    assert rows() == {ID: ("queued", None)}


def test_ticks_before_an_override_and_of_a_disabled_entry_are_not_expected() -> None:
    changed = replace(ENTRY, since=NOON + 7 * MINUTE)
    dog = Watchdog(lambda: [changed, replace(ENTRY, name="off", enabled=False)], NOON)
    for minute in (13, 14):
        dog.check(NOON + minute * MINUTE)
    assert set(rows()) == {"mail-20260601T1210"}


@pytest.mark.parametrize(
    ("state", "is_started", "status", "reason"),
    [
        ("queued", False, "missed", "not started within 15 min: is a worker alive?"),
        ("scheduled", False, "missed", "not started within 15 min: is a worker alive?"),
        (None, False, "failed", "its job is gone from Redis"),
        (None, True, "failed", "its job is gone from Redis"),
        ("failed", True, "failed", "its job is failed"),
        ("failed", False, "failed", "its job is failed"),
        ("finished", True, "ran", "its end was not recorded"),
        ("started", True, "queued", None),
        ("scheduled", True, "queued", None),
    ],
)
def test_a_row_that_stands_still_tells_what_became_of_its_job(
    state: str | None, is_started: bool, status: str, reason: str | None
) -> None:
    due = NOON + 5 * MINUTE
    Tick.record([{"id": ID, "entry": "mail", "due": due, "status": "queued", "enqueued_at": due}])
    if is_started:
        Tick.begin(ID, "mail", due)
    if state:
        redis().hset(f"rq:job:{ID}", "status", state)
    dog = Watchdog(lambda: [], NOON)
    assert dog.check(due + 14 * MINUTE) == 0
    with capture_logs() as lines:
        assert dog.check(due + 16 * MINUTE) == (status != "queued")
        assert dog.check(due + 17 * MINUTE) == 0
    assert rows() == {ID: (status, reason)}
    assert len(missed(lines)) == (status != "queued")  # type: ignore[arg-type]


def test_a_run_that_starts_after_it_was_called_missed_is_late() -> None:
    due = NOON + 5 * MINUTE
    enqueue.enqueue(ENTRY.job(due))
    Tick.record([{"id": ID, "entry": "mail", "due": due, "status": "queued", "enqueued_at": due}])
    assert watchdog().check(due + 16 * MINUTE) == 1
    with time_machine.travel(due + 20 * MINUTE, tick=False):
        assert Tick.begin(ID, "mail", due)
        Tick.succeed(ID, 1.0, ENTRY.grace)
    assert rows()[ID][0] == "late"
