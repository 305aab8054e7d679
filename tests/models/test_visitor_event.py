"""Visitor events: unique by what they are, found by an index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Workspace

pytestmark = pytest.mark.usefixtures("clean_store")
WORKSPACE = ObjectId()


def event(**fields: Any) -> VisitorEvent:
    given = {
        "workspace_id": WORKSPACE,
        "visitor_id": "v",
        "session_id": "s",
        "event_type": "page_view",
        "event_name": "n",
        "url": "https://acme.test/",
        "happened_at": datetime(2026, 1, 31, tzinfo=UTC),
    }
    return VisitorEvent(**(given | fields))


def test_the_same_event_has_the_same_id_whatever_its_browser_says() -> None:
    assert event().natural_id() == event(device={"screen": "1x1"}, referrer="x").natural_id()
    one, other = {"a": 1, "b": {"c": [2]}}, {"b": {"c": [2]}, "a": 1}
    assert event(properties=one).natural_id() == event(properties=other).natural_id()


def test_two_measurements_of_one_millisecond_are_two_events() -> None:
    VisitorEvent.store([event(properties={"metric": name}) for name in ("LCP", "FID", "LCP")])
    assert sorted(stored.properties["metric"] for stored in VisitorEvent.objects) == ["FID", "LCP"]


def test_parts_of_the_key_do_not_run_into_each_other() -> None:
    assert (
        event(visitor_id="ab", session_id="c").natural_id()
        != event(visitor_id="a", session_id="bc").natural_id()
    )


def test_events_are_stored_once_and_the_first_one_stays() -> None:
    VisitorEvent.store([event(referrer="first"), event(referrer="second")])
    VisitorEvent.store([event(referrer="third"), event(event_name="other")])
    assert {stored.event_name: stored.referrer for stored in VisitorEvent.objects} == {
        "n": "first",
        "other": None,
    }


def test_an_event_keeps_its_first_contact() -> None:
    first, second = ObjectId(), ObjectId()
    VisitorEvent.store([event()])
    event_id = VisitorEvent.objects.get().id
    for contact_id in (first, second):
        VisitorEvent.set_contacts([event(id=event_id, contact_id=contact_id)])
    assert VisitorEvent.link_visitor(WORKSPACE, "v", second) == 0
    assert VisitorEvent.contacts_of([event_id]) == {event_id: first}


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        (VisitorEvent, {"workspace_id": WORKSPACE, "visitor_id": "v", "contact_id": None}),
        (Visitor, {"_id": {"$in": ["a", "b"]}}),
        (Workspace, {"allowed_origins": {"$in": ["https://a.test", "https://*.test"]}}),
    ],
)
def test_what_a_request_asks_for_is_found_by_an_index(kind: Any, query: dict[str, Any]) -> None:
    VisitorEvent.store([event(event_name=str(number)) for number in range(200)])
    assert "COLLSCAN" not in str(kind.objects(__raw__=query).explain()["queryPlanner"]["winningPlan"])
