"""`flask events replay`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from models.event import EventRecord
from publishers import events
from queues.connection import redis
from schemas.contact import ContactUpdated
from tests.web.cli.conftest import Flask_

Json = Callable[..., Any]


@pytest.fixture
def lost(app: object) -> list[str]:
    """Three events whose jobs were lost, one of them of a version that is unknown here."""
    ids = [str(ObjectId()), str(ObjectId())]
    found = events.publish_all(
        [ContactUpdated(workspace_id=ids[0], contact_id=str(ObjectId()), changed=["tags"]) for _ in "abc"]
    )
    EventRecord.objects(id=found[2]).update_one(set__version=9)
    redis().flushall()
    return found


def test_a_dry_run_tells_what_there_is_and_does_nothing(
    flask: Flask_, flask_json: Json, lost: list[str]
) -> None:
    assert flask_json("events", "replay", "--dry-run") == {
        "dry_run": True,
        "done": 0,
        "unfinished": 3,
        "replayed": 0,
        "events": [
            {"type": "contact.updated", "version": 1, "status": "pending", "events": 2, "is_known": True},
            {"type": "contact.updated", "version": 9, "status": "pending", "events": 1, "is_known": False},
        ],
    }
    told = flask("events", "replay", "--dry-run").stdout
    assert "unknown here" in told
    assert "3 events are not done" in told
    assert redis().dbsize() == 0


def test_a_replay_handles_what_is_not_done_and_then_there_is_nothing_left(
    flask: Flask_, flask_json: Json, lost: list[str], run_jobs: Callable[[], int]
) -> None:
    assert flask_json("events", "replay", "--per-second", "1000")["replayed"] == 3
    run_jobs()
    after = flask_json("events", "replay", "--type", "contact.updated", "--until", "2100-01-01")
    assert (after["done"], after["unfinished"]) == (2, 1)
    EventRecord.objects(version=9).delete()
    assert flask("events", "replay").stdout == "Every event is done: there is nothing to replay.\n"


def test_times_are_utc_and_limit_what_is_replayed(flask_json: Json, lost: list[str]) -> None:
    assert flask_json("events", "replay", "--until", "2026-01-01T09:30")["unfinished"] == 0
    assert flask_json("events", "replay", "--since", "2100-01-01", "--dry-run")["unfinished"] == 0


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("--type", "contact.create"), "there is no event type 'contact.create'"),
        (("--since", "yesterday"), "'yesterday' does not match the formats"),
        (("--per-second", "0"), "0 is not in the range"),
    ],
)
def test_a_mistake_is_told_by_its_name(flask: Flask_, args: tuple[str, ...], reason: str) -> None:
    result = flask("events", "replay", *args)

    assert result.exit_code != 0
    assert reason in result.stderr
