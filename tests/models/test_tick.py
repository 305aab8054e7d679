"""The run ledger: one row per tick, whoever writes first, and whatever happens twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine

from models import store
from models.cron_override import CronOverride
from models.tick import Tick

DUE = datetime(2026, 6, 1, 12, 5, tzinfo=UTC)
ID = "mail-20260601T1205"
GRACE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("clean_store")


def row(**fields: Any) -> dict[str, Any]:
    return {"id": ID, "entry": "mail", "due": DUE, "status": "queued", "enqueued_at": DUE} | fields


def at(seconds: float) -> time_machine.travel:
    return time_machine.travel(DUE + timedelta(seconds=seconds), tick=False)


def tick() -> Tick:
    found: Tick = Tick.objects.get()
    return found


def run(start: float, end: float) -> Tick:
    """A whole run, so many seconds after it was due."""
    with at(start):
        assert Tick.begin(ID, "mail", DUE)
    with at(end):
        Tick.succeed(ID, end - start, GRACE)
    return tick()


def test_a_run_is_on_record_from_its_due_time_to_its_end() -> None:
    assert Tick.record([row()]) == [ID]
    done = run(2, 5)
    assert (done.status, done.entry, done.due, done.tries) == ("ran", "mail", DUE, 1)
    assert (done.enqueued_at, done.started_at, done.ended_at) == (
        DUE,
        DUE + timedelta(seconds=2),
        DUE + timedelta(seconds=5),
    )
    assert done.duration == 3


def test_a_run_that_starts_after_its_grace_is_late() -> None:
    Tick.record([row()])
    assert run(61, 62).status == "late"


def test_a_worker_that_is_faster_than_the_scheduler_s_row_makes_no_second_one() -> None:
    assert run(0, 1).status == "ran"
    assert Tick.record([row()]) == []
    assert (tick().status, tick().enqueued_at) == ("ran", DUE)


def test_recording_twice_changes_nothing() -> None:
    Tick.record([row(status="skipped", reason="paused: moving", enqueued_at=None)])
    Tick.record([row(status="missed", reason="too late", enqueued_at=None)])
    assert (tick().status, tick().reason) == ("skipped", "paused: moving")


def test_a_tick_that_is_done_does_not_begin_again() -> None:
    run(0, 1)
    assert not Tick.begin(ID, "mail", DUE)
    assert (tick().status, tick().tries) == ("ran", 1)


def test_a_try_that_is_followed_by_another_leaves_its_error_and_the_first_start() -> None:
    Tick.record([row()])
    with at(1):
        Tick.begin(ID, "mail", DUE)
        Tick.fail(ID, "Away: no server", 0.5, is_last=False)
    assert (tick().status, tick().error) == ("queued", "Away: no server")
    done = run(90, 91)
    assert (done.status, done.tries, done.started_at) == ("ran", 2, DUE + timedelta(seconds=1))


def test_the_last_try_that_fails_makes_it_failed_and_a_requeued_one_that_ends_well_mends_it() -> None:
    Tick.record([row()])
    with at(1):
        Tick.begin(ID, "mail", DUE)
        Tick.fail(ID, "Broken: no", 0.5, is_last=True)
    assert (tick().status, tick().error, tick().duration) == ("failed", "Broken: no", 0.5)
    assert run(600, 601).status == "ran"


def test_a_tick_has_one_row_though_scheduler_and_workers_write_at_the_same_moment() -> None:
    barrier = Barrier(6)
    writers: list[Callable[[], object]] = [
        lambda: Tick.record([row()]),
        lambda: Tick.begin(ID, "mail", DUE),
    ] * 3

    def write(writer: Callable[[], object]) -> None:
        barrier.wait(10)
        with suppress(store.StoreError):  # a scheduler that lost the race writes again at its next wake-up
            writer()

    threads = [Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert tick().tries == 3


def test_entry_and_due_time_are_unique() -> None:
    Tick.record([row()])
    with pytest.raises(store.StoreError):
        Tick.record([row(id="another")])


def test_missed_ticks_are_written_with_one_command(
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    rows = [row(id=f"mail-{n}", due=DUE + n * GRACE, status="missed", enqueued_at=None) for n in range(1_000)]
    with count_store_commands() as commands:
        assert len(Tick.record(rows)) == 1_000
    assert commands == ["update"]
    with count_store_commands() as commands:
        assert len(Tick.history("mail", 50)) == 50
    assert commands == ["find"]


def test_a_row_lapses_after_the_days_of_the_setting() -> None:
    with at(0):
        Tick.record([row()])
    assert tick().expires_at == DUE + timedelta(days=90)
    indexes = Tick._get_collection().index_information()
    assert [index["expireAfterSeconds"] for index in indexes.values() if "expireAfterSeconds" in index] == [0]


def test_the_last_tick_of_each_entry_leaves_runs_by_hand_out() -> None:
    Tick.record([row(), row(id="m-2", due=DUE + GRACE), row(id="m-3", due=DUE + 2 * GRACE, trigger="hand")])
    assert Tick.last_due(["mail", "other"]) == {"mail": DUE + GRACE}


def test_an_override_changes_what_it_names_and_a_pause_stands_apart() -> None:
    CronOverride.change("mail", "ann", "too often", cron="0 * * * *")
    CronOverride.change("mail", "ben", "", enabled=False)
    CronOverride.pause("mail", "ann", "server is being moved")
    assert CronOverride.all()["mail"].changes == {"cron": "0 * * * *", "enabled": False}
    assert CronOverride.reset("mail", "ann")
    assert not CronOverride.reset("mail", "ann")
    override = CronOverride.of("mail")
    assert override is not None
    assert (override.changes, override.paused_by, override.pause_reason) == (
        {},
        "ann",
        "server is being moved",
    )
    assert CronOverride.resume("mail")
    assert not CronOverride.resume("mail")
