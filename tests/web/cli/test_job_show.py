"""`flask jobs show` and `flask jobs cancel`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queues import dead_letters
from queues.batches import batch
from queues.chains import chain
from queues.connection import redis
from queues.enqueue import enqueue, enqueue_at
from queues.job import Job
from tests import failing
from tests.queues.conftest import new_job, status_of
from tests.web.cli.conftest import Flask_

Json = Callable[..., Any]
NOBODY = "Error: there is no job nobody: there never was, or it has ended and was dropped since\n"


def fields(text: str) -> dict[str, str]:
    """The printed names and values, with folded values in one line."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, value = line[:12].strip(), line[12:].strip()
        found |= {name: value} if name else {}
    return found


def test_a_waiting_job_has_not_been_tried(flask: Flask_, flask_json: Json) -> None:
    enqueue(new_job("note", "one", what="x"))
    state = flask_json("jobs", "show", "one")
    assert (state["id"], state["status"], state["queue"]) == ("one", "queued", "analytics")
    assert (state["tries"], state["most_tries"], state["error"]) == (0, 4, "")
    assert state["func"] == "tests.queues.sample_jobs.note"
    assert datetime.fromisoformat(state["enqueued_at"]) <= datetime.now(UTC)
    assert (state["started_at"], state["due_at"], state["progress"], state["batch"]) == (None,) * 4
    text = fields(flask("jobs", "show", "one").stdout)
    assert (text["status"], text["tries"]) == ("queued", "0 of 4")
    assert "progress" not in text


def test_a_delayed_job_tells_when_it_is_due(flask_json: Json) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    enqueue_at(new_job("note", "later", what="x"), due)
    state = flask_json("jobs", "show", "later")
    assert (state["status"], datetime.fromisoformat(state["due_at"])) == ("scheduled", due)


def test_a_job_to_be_retried_tells_when_how_often_it_was_tried_and_why(
    flask: Flask_, flask_json: Json, run_jobs: Callable[[], int]
) -> None:
    (job_id,) = failing.enqueue(1, func="stumble")
    run_jobs()
    state = flask_json("jobs", "show", job_id)
    assert (state["status"], state["tries"], state["most_tries"]) == ("scheduled", 1, 4)
    assert datetime.fromisoformat(state["due_at"]) > datetime.fromisoformat(state["ended_at"])
    assert state["error"] == "ConnectionError: line 0 is busy"
    assert fields(flask("jobs", "show", job_id).stdout)["tries"] == "1 of 4"


def test_a_dead_letter_tells_why_and_forgets_it_when_it_has_succeeded(
    flask_json: Json, run_jobs: Callable[[], int]
) -> None:
    (job_id,) = failing.enqueue(1)
    run_jobs()
    state = flask_json("jobs", "show", job_id)
    assert (state["status"], state["tries"], state["error"]) == (
        "failed",
        None,
        "tests.failing.Broken: the thing number 0 is broken",
    )
    dead_letters.requeue([job_id])
    redis().set(failing.MENDED, 1)
    run_jobs()
    state = flask_json("jobs", "show", job_id)
    assert (state["status"], state["tries"], state["error"]) == ("finished", 1, "")


def test_progress_of_a_job_and_of_its_batch(
    flask: Flask_, flask_json: Json, run_jobs: Callable[[], int]
) -> None:
    members = [new_job("report_progress", "m1", times=8, what="row"), new_job("fail_for_good", "m2")]
    batch(members, new_job("note", "then", what="then"))
    assert flask_json("jobs", "show", "m1")["batches"] == ["then"]
    run_jobs()
    progress = flask_json("jobs", "show", "m1")["progress"]
    assert (progress["done"], progress["total"], progress["note"]) == (8, 8, "row 8")
    assert fields(flask("jobs", "show", "m1").stdout)["progress"] == "8 of 8 (100 %): row 8"
    callback = flask_json("jobs", "show", "then")
    assert callback["status"] == "deferred"
    assert callback["batch"] == {"total": 2, "done": 1, "failed": 1, "is_complete": False}
    assert fields(flask("jobs", "show", "then").stdout)["batch"] == "1 of 2 done, 1 failed"


def test_a_chain_is_shown_from_each_of_its_jobs(
    flask: Flask_, flask_json: Json, run_jobs: Callable[[], int]
) -> None:
    chain(new_job("fail_for_good", "a"), *(new_job("note", each, what=each) for each in ("b", "c")))
    run_jobs()
    state = flask_json("jobs", "show", "b")
    assert state["waits_for"] == {"a": "failed"}
    assert state["followed_by"] == {"c": "deferred"}
    text = fields(flask("jobs", "show", "b").stdout)
    assert (text["waits for"], text["followed by"]) == ("a (failed)", "c (deferred)")
    redis().delete(Job.key_for("a"))
    assert flask_json("jobs", "show", "b")["waits_for"] == {"a": "gone"}


def test_cancelling_a_job_cancels_what_waits_for_it(flask: Flask_, flask_json: Json) -> None:
    chain(*(new_job("note", each, what=each) for each in ("a", "b")))
    assert flask_json("jobs", "cancel", "a") == {"job_id": "a", "status": "canceled"}
    assert [status_of("a"), status_of("b")] == ["canceled", "canceled"]
    enqueue(new_job("note", "c", what="c"))
    assert flask("jobs", "cancel", "c").stdout == "c is cancelled.\n"


def test_what_has_ended_is_not_cancelled(flask: Flask_, run_jobs: Callable[[], int]) -> None:
    enqueue(new_job("note", "one", what="x"))
    run_jobs()
    result = flask("jobs", "cancel", "one")
    assert (result.exit_code, result.stderr) == (1, "Error: one is not cancelled: it is finished\n")
    assert status_of("one") == "finished"


@pytest.mark.parametrize("command", ["show", "cancel"])
def test_an_unknown_id_is_one_line_and_exit_code_1(flask: Flask_, command: str) -> None:
    result = flask("jobs", command, "nobody")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", NOBODY)
