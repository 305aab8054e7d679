"""`flask jobs` and `flask cron`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from click.testing import Result

from jobs import schedule
from queues import dead_letters
from queues.connection import redis
from queues.cron_entry import CronEntry
from queues.job import Job
from tests import failing
from tests.waiting import wait_until
from tests.web.cli.conftest import Flask_
from web.cli import jobs as jobs_command

Json = Callable[..., Any]


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> CronEntry:
    """A cron table of one entry."""
    entry = CronEntry("sample", "0 9 * * *", "tests.failing.tick", "analytics", "Do it", "Europe/Berlin")
    for module in (schedule, jobs_command):
        monkeypatch.setattr(module, "SCHEDULE", (entry,))
    return entry


@pytest.fixture
def run_and_wait(flask: Flask_, run_jobs: Callable[[], int]) -> Callable[..., Result]:
    """`flask jobs run … --wait` in a thread, while this one works as worker."""

    def run(name: str) -> Result:
        with ThreadPoolExecutor(1) as threads:
            result = threads.submit(flask, "jobs", "run", name, "--wait", "--timeout", "20")
            wait_until(lambda: run_jobs() or result.done(), timeout=20)
            return result.result()

    return run


def test_the_list_names_the_scheduled_jobs_and_the_archived(flask: Flask_, flask_json: Json) -> None:
    assert "email-sync" in flask("jobs", "list").stdout
    listed = flask_json("jobs", "list")
    assert {job["name"] for job in listed["jobs"]} == {entry.name for entry in schedule.SCHEDULE}
    assert set(listed["archived"]) == {"agent-event-trigger", "agent-resume-execution", "agent-scheduled"}


def test_a_job_is_enqueued_now(sample: CronEntry, flask_json: Json) -> None:
    answer = flask_json("jobs", "run", "sample")
    job = Job.fetch(answer["job_id"], connection=redis())
    assert (answer["status"], answer["queue"], job.origin) == ("queued", "analytics", "analytics")
    assert job.func_name == "jobs.runner.run"
    assert job.kwargs["name"] == "sample"
    assert flask_json("jobs", "run", "sample")["job_id"] != answer["job_id"]


def test_waiting_for_a_job_that_succeeds(sample: CronEntry, run_and_wait: Callable[..., Result]) -> None:
    redis().set(failing.MENDED, 1)
    result = run_and_wait("sample")
    assert result.exit_code == 0, result.output
    assert "sample is done" in result.stdout


def test_waiting_for_a_job_that_fails_exits_with_1(
    sample: CronEntry, run_and_wait: Callable[..., Result]
) -> None:
    result = run_and_wait("sample")
    assert result.exit_code == 1
    assert "the mailboxes are broken" in result.stdout
    assert "flask dlq show sample-manual-" in result.stdout
    letter = dead_letters.page()[0]
    assert Job.fetch(letter.id, connection=redis()).retries_left == 3  # for whoever requeues it


def test_waiting_ends_with_its_time(sample: CronEntry, flask: Flask_) -> None:
    result = flask("jobs", "run", "sample", "--wait", "--timeout", "0")
    assert result.exit_code == 1
    assert "sample is still queued after 0 s" in result.stdout.replace("\n", " ")


def test_an_archived_job_is_refused_with_its_message(flask: Flask_) -> None:
    result = flask("jobs", "run", "agent-scheduled")
    assert result.exit_code == 1
    assert "archived on 2026-02-04" in result.stderr


def test_an_unknown_job_is_refused_with_the_known_ones(flask: Flask_) -> None:
    result = flask("jobs", "run", "emial-sync")
    assert result.exit_code == 1
    assert "there is no job 'emial-sync'; there are: email-sync" in result.stderr


def test_the_cron_list_speaks_english_and_the_entrys_zone(
    sample: CronEntry, flask: Flask_, flask_json: Json
) -> None:
    with time_machine.travel(datetime(2026, 3, 27, 12, tzinfo=UTC), tick=False):
        text = flask("cron", "list").stdout
        entry = flask_json("cron", "list")[0]
    assert "At 09:00 AM (0 9 * * *, Europe/Berlin)" in text
    assert "Sat 28 Mar 09:00, Sun 29 Mar 09:00, Mon 30 Mar 09:00" in text.replace("\n      ", " ")
    assert entry["next"] == [
        "2026-03-28T09:00:00+01:00",
        "2026-03-29T09:00:00+02:00",  # summer time begins
        "2026-03-30T09:00:00+02:00",
        "2026-03-31T09:00:00+02:00",
        "2026-04-01T09:00:00+02:00",
    ]
