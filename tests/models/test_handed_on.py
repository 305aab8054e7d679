"""Events that handed work on, found in pages."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from bson import ObjectId

from models import handed_on, store
from models.event import EventRecord

pytestmark = pytest.mark.usefixtures("clean_store")

KEPT = 90  # days
MINUTE = timedelta(minutes=1)


def done(at: datetime, **fields: object) -> ObjectId:
    known = {"type": "contact.created", "version": 1, "workspace_id": ObjectId(), "correlation_id": "test"}
    ended = {"status": "done", "done_at": at, "expires_at": at + timedelta(days=KEPT)}
    record = EventRecord(**known, **ended | {"handed_on": {"log_activity": True}} | fields).save()
    return record.id


def pages(since: datetime, before: datetime, size: int) -> list[list[ObjectId]]:
    found: list[list[ObjectId]] = []
    after = None
    while page := handed_on.done(since, before, KEPT, after, size):
        found.append([record.id for record in page])
        after = page[-1].expires_at
    return found


def test_pages_hold_each_event_once_also_those_of_one_moment() -> None:
    start = store.now() - timedelta(hours=1)
    single = [done(start + n * MINUTE) for n in range(4)]
    same = {done(start + 9 * MINUTE) for _ in range(5)}
    last = done(start + 10 * MINUTE)

    found = pages(start, store.now(), 3)
    assert [len(page) for page in found] == [3, 6, 1]
    assert found[0] + found[1][:1] == single
    assert set(found[1][1:]) == same
    assert found[2] == [last]


def test_only_what_was_done_in_the_span_and_handed_something_on_is_found() -> None:
    start = store.now() - timedelta(hours=1)
    wanted = done(start)
    shorter = done(start + MINUTE, expires_at=start + timedelta(days=KEPT, minutes=1))
    done(start - MINUTE)
    done(start + 20 * MINUTE)
    done(start + MINUTE, handed_on=None)
    done(start + MINUTE, status="failed")

    assert pages(start, start + 10 * MINUTE, 10) == [[wanted, shorter]]


def test_unfinished_ones_are_found_by_when_they_handed_on() -> None:
    moment = store.now()
    open_ones = {
        done(moment, status=status, reactions={"log_activity": moment}) for status in ("queued", "failed")
    }
    done(moment, status="waiting", reactions={"log_activity": moment - MINUTE})
    done(moment, reactions={"log_activity": moment})

    assert {record.id for some in handed_on.unfinished(moment, 1) for record in some} == open_ones
