"""`flask db expire`: what was stored before there was retention."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

import config
from models import retention_backfill, store
from models.event import EventRecord
from models.notification import Notification
from models.visitor_event import VisitorEvent
from tests.web.cli.conftest import Flask_

Json = Callable[..., Any]
DAY = timedelta(days=1)
DAYS = {"events": 90, "visitor_events": 400, "notifications": 180}
SINCE = {"events": "done_at", "visitor_events": "received_at", "notifications": "created_at"}
KINDS: dict[str, Any] = {
    kind._get_collection_name(): kind for kind in (EventRecord, VisitorEvent, Notification)
}


def stored(name: str, since: datetime, number: int = 1, **fields: Any) -> None:
    """Documents as an older release stored them; only what this command reads."""
    rows = [{"key": str(ObjectId()), SINCE[name]: since, **fields} for _ in range(number)]
    status = {"status": "done"} if name == "events" else {}
    KINDS[name]._get_collection().insert_many([{**status, **row} for row in rows])


def ends(name: str) -> list[Any]:
    return [row.get("expires_at") for row in KINDS[name]._get_collection().find().sort("_id", 1)]


@pytest.fixture
def old(app: object) -> datetime:
    """Of each kind one that has time left, and one whose time is over; since when the first is there."""
    since = store.now() - DAY
    for name, days in DAYS.items():
        stored(name, since)
        stored(name, since - days * DAY)
    return since


def test_a_dry_run_counts_what_has_no_end_and_changes_nothing(
    flask: Flask_, flask_json: Json, old: datetime
) -> None:
    told = flask_json("db", "expire", "--dry-run")
    assert told["dry_run"] is True
    assert told["collections"] == [
        {"name": name, "days": days, "endless": 2, "over": 1, "ended": 0} for name, days in DAYS.items()
    ]
    assert "Nothing was changed." in flask("db", "expire", "--dry-run").stdout
    assert [ends(name) for name in DAYS] == [[None, None]] * 3


def test_each_gets_the_end_that_it_would_have_had_and_another_run_changes_nothing(
    flask: Flask_, flask_json: Json, old: datetime
) -> None:
    ended = [each["ended"] for each in flask_json("db", "expire")["collections"]]
    assert ended == [2, 2, 2]
    found = {name: ends(name) for name in DAYS}
    assert found == {name: [old + days * DAY, old] for name, days in DAYS.items()}

    stored("notifications", old)
    assert [each["ended"] for each in flask_json("db", "expire")["collections"]] == [0, 0, 1]
    assert {name: ends(name)[:2] for name in DAYS} == found
    assert "0 documents have an end now." in flask("db", "expire").stdout


def test_what_is_not_done_or_has_an_end_or_is_kept_for_ever_is_left_alone(
    flask_json: Json, app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment, end = store.now(), store.now() + DAY
    for status in ("pending", "queued", "waiting", "failed"):
        stored("events", moment, status=status)
    stored("visitor_events", moment, expires_at=end)
    stored("notifications", moment)
    settings = config.settings().model_copy(update={"notifications_keep_days": 0})
    monkeypatch.setattr(config, "settings", lambda: settings)

    told = flask_json("db", "expire")["collections"]
    assert [(each["endless"], each["over"], each["ended"]) for each in told] == [(0, 0, 0)] * 2 + [(1, 0, 0)]
    assert [ends(name) for name in DAYS] == [[None] * 4, [end], [None]]


def test_one_that_does_not_say_since_when_it_is_there_is_kept_from_now_on(
    flask_json: Json, app: object
) -> None:
    before = store.now()
    Notification._get_collection().insert_one({"key": "bare"})
    EventRecord._get_collection().insert_one({"status": "done", "accepted_at": before - DAY})
    flask_json("db", "expire")
    (bare,), (event,) = ends("notifications"), ends("events")
    assert before <= bare - 180 * DAY <= store.now()
    assert event == before + 89 * DAY


def test_what_died_in_the_middle_goes_on_where_it_was(app: object) -> None:
    stored("notifications", store.now(), number=5)
    steps = retention_backfill.apply(2, pause=lambda _: None)
    assert next(steps) == ("notifications", 2)
    steps.close()
    assert ends("notifications").count(None) == 3
    assert [changed for _, changed in retention_backfill.apply(2, pause=lambda _: None)] == [2, 1]
    assert ends("notifications").count(None) == 0


def test_it_keeps_its_pace(app: object) -> None:
    stored("notifications", store.now(), number=7)
    pauses: list[float] = []
    assert sum(changed for _, changed in retention_backfill.apply(2, pause=pauses.append)) == 7
    assert pauses == [1.0] * 4


def test_the_cost_is_two_commands_for_each_500_documents(
    app: object, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    stored("visitor_events", store.now(), number=1_100)
    with count_store_commands() as commands:
        list(retention_backfill.apply(10_000, pause=lambda _: None))
    assert commands.count("update") == 3
    assert len(commands) <= 2 * 3 + len(retention_backfill.KINDS)


def test_a_pace_of_nothing_is_refused(flask: Flask_) -> None:
    assert flask("db", "expire", "--per-second", "0").exit_code == 2
