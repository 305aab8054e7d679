"""flask queues pause|resume"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests import failing
from tests.web.cli.conftest import Flask_


def test_a_queue_is_paused_and_resumed_by_name(flask: Flask_, flask_json: Callable[..., Any]) -> None:
    assert (
        "ai-jobs is paused." in flask("queues", "pause", "ai-jobs", "--reason", "away", "--by", "ada").output
    )
    assert "ai-jobs is paused already." in flask("queues", "pause", "ai-jobs").output
    assert "ai-jobs is paused by ada since" in flask("queues").output
    paused = {row["name"]: row["paused"] for row in flask_json("queues")}
    assert paused["ai-jobs"]["reason"] == "away"
    assert paused["crm-events"] is None
    assert flask_json("queues", "resume", "ai-jobs") == {
        "queue": "ai-jobs",
        "state": "running",
        "changed": True,
    }
    assert "paused" not in flask("queues").output


def test_an_unknown_queue_is_one_line(flask: Flask_) -> None:
    result = flask("queues", "pause", "nope")
    assert result.exit_code == 1
    assert "there is no queue 'nope'" in result.output


def test_a_queue_is_emptied_when_asked_for_by_name(flask: Flask_, flask_json: Callable[..., Any]) -> None:
    failing.enqueue(120, queue="analytics")
    result = flask("queues", "empty", "analytics", input="n\n")
    assert result.exit_code == 1
    assert "Delete 120 waiting jobs of analytics for good?" in result.stderr
    assert flask_json("queues", "empty", "analytics", "--yes") == {"queue": "analytics", "deleted": 120}
    assert flask("queues", "empty", "analytics").stdout == "0 jobs of analytics deleted.\n"
    assert "there is no queue 'nope'" in flask("queues", "empty", "nope").output
