"""`flask dlq`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from queues import dead_letters, keys
from queues.connection import redis
from tests import failing
from tests.web.cli.conftest import PROJECT, Flask_

Json = Callable[..., Any]


@pytest.fixture
def dead(stores: None) -> list[str]:
    """Two dead letters of `crm-events`, one of `analytics`."""
    ids = [*failing.enqueue(2), *failing.enqueue(1, queue="analytics")]
    failing.bury(ids)
    return ids


def waiting(queue: str) -> int:
    return int(redis().llen(keys.queue_key(queue)))


def test_the_list_names_each_dead_letter_and_its_error(dead: list[str], flask: Flask_) -> None:
    result = flask("dlq", "list")
    assert result.exit_code == 0
    assert all(job_id in result.stdout for job_id in dead)
    assert "ValueError: buried" in result.stdout
    assert dead[2] not in flask("dlq", "list", "--queue", "crm-events").stdout


def test_the_list_is_paged(dead: list[str], flask: Flask_, flask_json: Json) -> None:
    assert "Page 1 of 2, 3 in all. Next: --page 2" in flask("dlq", "list", "--per-page", "2").stdout
    second = flask("dlq", "list", "--per-page", "2", "--page", "2").stdout
    assert "Page 2 of 2, 3 in all." in second
    assert "Next" not in second
    beyond = flask("dlq", "list", "--page", "7").stdout
    assert "There is no page 7." in beyond
    assert "Page 7 of 1, 3 in all." in beyond
    pages = [flask_json("dlq", "list", "--per-page", "2", "--page", n)["dead_letters"] for n in ("1", "2")]
    assert sorted(letter["id"] for page in pages for letter in page) == sorted(dead)


def test_the_list_as_json_has_stable_keys(dead: list[str], flask_json: Json) -> None:
    answer = flask_json("dlq", "list", "--queue", "analytics")
    assert (answer["total"], answer["page"]) == (1, 1)
    letter = answer["dead_letters"][0]
    assert set(letter) == {
        *("id", "queue", "func", "description", "error", "created_at", "failed_at", "expires_at")
    }
    assert (letter["id"], letter["func"]) == (dead[2], "tests.failing.break_down")


def test_an_empty_list_says_so(stores: None, flask: Flask_, flask_json: Json) -> None:
    assert "no dead letters" in flask("dlq", "list").stdout
    assert flask_json("dlq", "list") == {"total": 0, "page": 1, "dead_letters": []}


def test_one_is_shown_with_arguments_and_traceback(dead: list[str], flask: Flask_, flask_json: Json) -> None:
    shown = flask("dlq", "show", dead[1]).stdout
    assert '{"number": 1}' in shown
    assert "Traceback …\nValueError: buried" in shown
    assert flask_json("dlq", "show", dead[1])["kwargs"] == {"number": 1}


def test_requeue_by_ids(dead: list[str], flask: Flask_) -> None:
    result = flask("dlq", "requeue", dead[0], dead[2])
    assert (result.exit_code, result.stdout) == (0, "2 requeued.\n")
    assert (waiting("crm-events"), waiting("analytics"), dead_letters.count()) == (1, 1, 1)


def test_requeue_all_of_a_queue_and_all_of_all(dead: list[str], flask_json: Json) -> None:
    assert flask_json("dlq", "requeue", "--queue", "crm-events", "--all")["requeued"] == 2
    assert flask_json("dlq", "requeue", "--all") == {"requeued": 1, "gone": 0, "missing": []}
    assert dead_letters.count() == 0


def test_an_unknown_id_fails_and_the_others_are_requeued(dead: list[str], flask: Flask_) -> None:
    result = flask("dlq", "requeue", dead[0], "no-such-job")
    assert result.exit_code == 1
    assert result.stderr == "Error: no dead letter has the id no-such-job; see: flask dlq list\n"
    assert waiting("crm-events") == 1


@pytest.mark.parametrize("command", ["requeue", "purge"])
@pytest.mark.parametrize(
    ("args", "advice"),
    [
        ((), "add --all for all"),
        (("--queue", "crm-events"), "add --all for all of crm-events"),
        (("x", "--all"), "not both"),
    ],
)
def test_an_unclear_scope_is_refused(
    dead: list[str], flask: Flask_, command: str, args: tuple[str, ...], advice: str
) -> None:
    result = flask("dlq", command, *args)
    assert result.exit_code == 2
    assert advice in result.stderr
    assert dead_letters.count() == 3


def test_an_unknown_queue_is_refused_with_the_known_ones(dead: list[str], flask: Flask_) -> None:
    for args in (("list",), ("requeue", "--all"), ("purge", "--all", "--yes")):
        result = flask("dlq", *args, "--queue", "crm-evnts")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: there is no queue 'crm-evnts'; there are: crm-events, ")


def test_purge_asks_first(dead: list[str], flask: Flask_) -> None:
    result = flask("dlq", "purge", "--all", input="n\n")
    assert result.exit_code == 1
    assert "Delete 3 dead letters for good?" in result.stderr
    assert dead_letters.count() == 3
    assert flask("dlq", "purge", "--queue", "analytics", "--all", input="y\n").stdout == "1 purged.\n"
    assert dead_letters.count() == 2


def test_purge_with_yes_does_not_ask(dead: list[str], flask_json: Json) -> None:
    assert flask_json("dlq", "purge", dead[0], "--yes") == {"purged": 1, "gone": 0, "missing": []}
    assert flask_json("dlq", "purge", "--all", "--yes")["purged"] == 2
    assert not redis().keys("rq:job:*")


def test_a_requeue_that_is_killed_loses_no_job(stores: None) -> None:
    ids = failing.enqueue(5_000)
    failing.bury(ids)
    command = [sys.executable, "-m", "flask", "dlq", "requeue", "--queue", "crm-events", "--all"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not waiting("crm-events") and time.monotonic() < deadline:
            pass  # without a pause: the whole takes a tenth of a second
        os.kill(process.pid, signal.SIGKILL)
    queued = redis().lrange(keys.queue_key("crm-events"), 0, -1)
    dead = redis().zrange(dead_letters.registry_key("crm-events"), 0, -1)
    assert queued
    assert sorted([*queued, *dead]) == sorted(job_id.encode() for job_id in ids)
