"""Scheduled jobs run by a worker, with the run ledger around them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from jobs import runner, schedule
from models.cron_override import CronOverride
from models.tick import Tick
from queues import dead_letters, enqueue
from queues.connection import redis
from queues.cron_entry import CronEntry
from tests import failing

DUE = datetime(2026, 6, 1, 12, 5, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> CronEntry:
    entry = CronEntry("sample", "*/5 * * * *", "tests.failing.tick", "analytics", "Do it")
    monkeypatch.setattr(schedule, "SCHEDULE", (entry,))
    return schedule.entry("sample")


def row() -> Tick:
    found: Tick = Tick.objects.get()
    return found


def test_a_tick_that_runs_is_recorded_by_its_job(sample: CronEntry, run_jobs: Callable[[], int]) -> None:
    redis().set(failing.MENDED, 1)
    enqueue.enqueue(sample.job(DUE))
    run_jobs()
    assert (row().id, row().entry, row().due, row().status) == (sample.id_of(DUE), "sample", DUE, "late")
    assert row().duration is not None


def test_a_tick_that_fails_for_good_is_failed_with_its_error_and_mended_by_a_requeue(
    sample: CronEntry, run_jobs: Callable[[], int]
) -> None:
    enqueue.enqueue(sample.job(DUE))
    run_jobs()
    assert (row().status, row().error) == ("failed", "Broken: the mailboxes are broken")
    redis().set(failing.MENDED, 1)
    dead_letters.requeue([row().id])
    run_jobs()
    assert (row().status, row().tries) == ("late", 2)


def test_a_tick_that_is_done_is_not_done_again(sample: CronEntry) -> None:
    redis().set(failing.MENDED, 1)
    assert runner.run("sample", DUE.isoformat()) == DUE.isoformat()
    redis().delete(failing.MENDED)  # a second run would fail
    assert runner.run("sample", DUE.isoformat()) is None
    assert row().tries == 1


def test_a_removed_entry_s_job_is_a_dead_letter_that_says_so(run_jobs: Callable[[], int]) -> None:
    entry = CronEntry("gone", "* * * * *", "x", "analytics", "", runner=schedule.RUNNER)
    enqueue.enqueue(entry.job(DUE))
    run_jobs()
    assert "there is no job 'gone'" in dead_letters.page()[0].error


def test_log_lines_name_the_entry_and_the_tick(sample: CronEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "tick", lambda tick: structlog.get_logger().info("at work", got=tick))
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        runner.run("sample", DUE.isoformat())
    assert {"entry": "sample", "tick": DUE.isoformat()}.items() <= lines[0].items()


def test_an_error_in_the_ledger_shows_no_password(sample: CronEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tick: str) -> None:
        raise RuntimeError("no route to imap://ann:geheim@mail.test" + "x" * 1_000)

    monkeypatch.setattr(failing, "tick", fail)
    with pytest.raises(RuntimeError):
        runner.run("sample", DUE.isoformat())
    assert "geheim" not in row().error
    assert len(row().error) == 500


def test_overrides_are_what_the_table_says_then() -> None:
    CronOverride.change("email-sync", "ann", "", cron="0 * * * *", time_zone="Asia/Kolkata")
    CronOverride.pause("email-sync", "ann", "moving")
    (entry,) = [e for e in schedule.table(CronOverride.all()) if e.name == "email-sync"]
    assert (entry.cron, entry.zone.key, entry.paused) == ("0 * * * *", "Asia/Kolkata", "moving")
    assert entry.runner == schedule.RUNNER
    assert entry.since is not None
    assert datetime.now(UTC) - entry.since < timedelta(minutes=1)
