"""`flask cron`: changes at run time, and what became of the ticks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs import schedule
from models.cron_override import CronOverride
from models.tick import Tick
from queues.connection import redis
from queues.cron_entry import CronEntry
from tests.web.cli.conftest import Flask_

Json = Callable[..., Any]
DUE = datetime(2026, 6, 1, 12, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cron table of one entry."""
    entry = CronEntry("sample", "0 9 * * *", "tests.failing.tick", "analytics", "Do it", "Europe/Berlin")
    monkeypatch.setattr(schedule, "SCHEDULE", (entry,))


def test_a_pause_is_shown_with_who_when_and_why_until_it_is_resumed(flask: Flask_, flask_json: Json) -> None:
    assert "sample is paused" in flask("cron", "pause", "sample", "--reason", "moving", "--by", "ann").stdout
    assert "paused" in flask("cron", "list").stdout
    assert "by ann: moving" in flask("cron", "list").stdout
    (entry,) = flask_json("cron", "list")
    assert (entry["paused"]["by"], entry["paused"]["reason"]) == ("ann", "moving")
    assert "sample runs again" in flask("cron", "resume", "sample").stdout
    assert flask_json("cron", "list")[0]["paused"] is None
    assert "was not paused" in flask("cron", "resume", "sample").stdout


def test_an_override_shows_as_one_until_it_is_reset(flask: Flask_, flask_json: Json) -> None:
    changes = ("--cron", "*/30 * * * *", "--time-zone", "Asia/Kolkata", "--reason", "trial", "--by", "ann")
    assert flask("cron", "set", "sample", *changes).exit_code == 0
    (entry,) = flask_json("cron", "list")
    assert (entry["cron"], entry["time_zone"]) == ("*/30 * * * *", "Asia/Kolkata")
    assert entry["override"] | {"at": ""} == {
        "cron": "*/30 * * * *",
        "time_zone": "Asia/Kolkata",
        "by": "ann",
        "at": "",
        "reason": "trial",
    }
    text = flask("cron", "list").stdout.replace("\n", " ")
    assert "override" in text
    assert "by ann: trial" in " ".join(text.split())
    flask("cron", "reset", "sample")
    (entry,) = flask_json("cron", "list")
    assert (entry["cron"], entry["time_zone"], entry["override"]) == ("0 9 * * *", "Europe/Berlin", None)


def test_a_change_prints_the_entry_as_it_is_then(flask_json: Json) -> None:
    assert flask_json("cron", "pause", "sample", "--reason", "moving")["paused"]["reason"] == "moving"
    assert flask_json("cron", "resume", "sample")["paused"] is None
    assert flask_json("cron", "set", "sample", "--cron", "0 8 * * *")["override"]["cron"] == "0 8 * * *"
    assert flask_json("cron", "reset", "sample")["override"] is None


def test_an_entry_that_is_switched_off_is_never_due(flask: Flask_, flask_json: Json) -> None:
    flask("cron", "set", "sample", "--off")
    assert flask_json("cron", "list")[0]["next"] == []
    assert "never: it is switched off" in flask("cron", "list").stdout


@pytest.mark.parametrize(
    "args",
    [
        ("pause", "sample", "--reason", "x"),
        ("resume", "sample"),
        ("set", "sample", "--cron", "* * * * *"),
        ("reset", "sample"),
    ],
)
def test_each_change_wakes_a_scheduler(flask: Flask_, args: tuple[str, ...]) -> None:
    flask("cron", *args)
    assert redis().llen("clianta:cron-bell") == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("set", "sample"), "give --cron, --time-zone, --on or --off"),
        (("set", "sample", "--cron", "every day"), "'every day' is not a cron line of five fields"),
        (("set", "sample", "--cron", "61 * * * *"), "'61 * * * *' is not a cron line of five fields"),
        (("set", "sample", "--time-zone", "Mars"), "'Mars' is not a time zone; like Europe/Berlin"),
        (("pause", "simple", "--reason", "x"), "there is no job 'simple'; there are: sample"),
        (("pause", "sample"), "Missing option '--reason'"),
        (("history", "agent-scheduled"), "archived on 2026-02-04"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    flask: Flask_, args: tuple[str, ...], message: str
) -> None:
    result = flask("cron", *args)
    assert result.exit_code != 0
    assert message in result.stderr
    assert CronOverride.all() == {}


def test_the_history_tells_what_became_of_each_tick(flask: Flask_, flask_json: Json) -> None:
    states: list[dict[str, Any]] = [
        {"status": "ran", "duration": 1.25},
        {"status": "skipped", "reason": "paused: moving"},
        {"status": "failed", "error": "Broken: no"},
    ]
    Tick.record(
        [
            {"id": f"sample-{n}", "entry": "sample", "due": DUE + timedelta(minutes=n), **state}
            for n, state in enumerate(states)
        ]
    )
    Tick.record([{"id": "other-1", "entry": "other", "due": DUE, "status": "queued"}])
    text = flask("cron", "history", "sample").stdout
    for words in ("01 Jun 12:05:00", "1.2 s", "paused: moving", "Broken: no"):
        assert words in text
    assert "other" not in text
    assert [row["status"] for row in flask_json("cron", "history", "sample")] == ["failed", "skipped", "ran"]
    assert len(flask_json("cron", "history", "--limit", "2")) == 2
    assert len(flask_json("cron", "history")) == 4


def test_a_run_by_hand_is_on_record_as_one(
    flask: Flask_, flask_json: Json, run_jobs: Callable[[], int]
) -> None:
    job_id = flask_json("jobs", "run", "sample")["job_id"]
    (row,) = flask_json("cron", "history")
    assert (row["id"], row["trigger"], row["status"]) == (job_id, "hand", "queued")
    run_jobs()
    assert "failed, by hand" in flask("cron", "history", "sample").stdout


def test_a_worker_that_is_faster_than_the_command_knows_that_it_was_by_hand(
    flask_json: Json, monkeypatch: pytest.MonkeyPatch, run_jobs: Callable[[], int]
) -> None:
    record = Tick.record
    monkeypatch.setattr(Tick, "record", lambda rows: (run_jobs(), record(rows)))
    flask_json("jobs", "run", "sample")
    (row,) = flask_json("cron", "history")
    assert (row["trigger"], row["status"]) == ("hand", "failed")
