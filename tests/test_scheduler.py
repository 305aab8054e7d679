"""`python scheduler.py` as a user runs it; with a worker; and operators who change its table meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import ObjectId

from consumers import healing
from models import store
from models.activity import Activity
from models.contact import Contact
from models.cron_override import CronOverride
from models.event import EventRecord
from models.tick import Tick
from publishers import contacts
from queues import cron_control, heartbeats, job_state
from queues.connection import redis
from tests.consumers import chaos
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
TABLE = "rq:scheduler:scheduled_jobs"
AT_ONCE = 2.0  # seconds; far less than the next tick or heartbeat

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(stores: None, tmp_path: Path) -> Iterator[Start]:
    """Start scheduler.py, or that program, and wait until it is registered; all end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str = "scheduler.py", **environment: str) -> subprocess.Popen[bytes]:
        before = alive()
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, program], cwd=ROOT, stderr=log, env={**os.environ, **environment}
            )
        started.append(process)
        wait_until(lambda: alive() > before, timeout=20)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def alive() -> int:
    return len(heartbeats.schedulers()) + len(heartbeats.workers())


def due() -> datetime | None:
    """When email-sync is due next, as Redis knows it."""
    score = redis().zscore(TABLE, "email-sync")
    return datetime.fromtimestamp(score, UTC) if score else None


def new_year() -> datetime:
    """Seldom the time of another tick, too."""
    return datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)


def change(**changes: object) -> None:
    CronOverride.change("email-sync", "ann", "", **changes)
    cron_control.ring()


def test_an_override_holds_at_once_survives_a_restart_and_the_loss_of_redis(start: Start) -> None:
    first = start()
    assert due() != new_year()
    change(cron="0 0 1 1 *")
    wait_until(lambda: due() == new_year(), timeout=AT_ONCE)
    first.kill()
    first.wait()
    redis().flushall()
    start()
    assert due() == new_year()
    CronOverride.reset("email-sync", "ann")
    cron_control.ring()
    wait_until(lambda: due() != new_year(), timeout=AT_ONCE)


def test_an_entry_that_is_switched_off_leaves_the_table_at_once_and_comes_back(start: Start) -> None:
    start()
    change(enabled=False)
    wait_until(lambda: due() is None, timeout=AT_ONCE)
    change(enabled=True)
    wait_until(due, timeout=AT_ONCE)


def test_what_redis_lost_of_events_that_are_done_is_handed_on_again(start: Start) -> None:
    earlier = store.now() - timedelta(hours=1)
    healing.heal(earlier)
    contact = Contact(workspace_id=ObjectId(), email="grace@navy.test").save()
    contacts.created(contact, source="api")
    chaos.handle_events()
    EventRecord.objects.update(set__done_at=earlier)
    redis().flushall()
    start()
    wait_until(lambda: [entry.kind for entry in Activity.objects] == ["contact_created"])


def test_sigterm_ends_an_idle_scheduler_at_once(start: Start) -> None:
    process = start()
    wait_until(lambda: redis().info("clients")["blocked_clients"] == 1)
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - since < AT_ONCE
    assert heartbeats.schedulers() == []


def test_with_jobs_switched_off_the_table_is_empty_but_the_scheduler_lives(start: Start) -> None:
    start(JOBS_ENABLED="false")
    assert redis().zcard(TABLE) == 0


def test_a_tick_is_enqueued_and_run_once_and_on_record(start: Start) -> None:
    for program in ("worker.py", "scheduler.py", "scheduler.py"):
        start(program)
    change(cron="0 0 1 1 *")  # so that no other tick comes in between
    wait_until(lambda: due() == new_year())
    wait_until(lambda: datetime.now(UTC).second < 45, timeout=20)  # a minute after its time it would be late
    this_minute = datetime.now(UTC).replace(second=0, microsecond=0)
    redis().zadd(TABLE, {"email-sync": this_minute.timestamp()})
    cron_control.ring()
    wait_until(lambda: [row.status for row in Tick.history("email-sync", 10)] == ["ran"])
    (row,) = Tick.history("email-sync", 10)
    assert row.id == f"email-sync-{this_minute:%Y%m%dT%H%M}"
    assert (row.due, row.trigger, row.tries, row.error) == (this_minute, "cron", 1, None)
    assert this_minute < row.started_at <= row.ended_at
    assert row.enqueued_at > this_minute
    assert 0 < row.duration < 10
    wait_until(lambda: job_state.get(row.id).status == "finished")
    assert job_state.get(row.id).tries == 1
    assert due() == new_year()
