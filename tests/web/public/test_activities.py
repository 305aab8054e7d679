"""Calls, meetings and notes from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.workspace import Workspace
from tests.web.public.conftest import ACTIVITIES, Api

CALL = {"type": "call", "title": "Called about the offer", "happenedAt": "2026-01-31T12:00:00Z"}


@pytest.fixture
def grace(api: Api) -> Contact:
    contact, _ = Contact.upsert(api.workspace.id, "grace@navy.test", {})
    return contact


def test_an_activity_is_on_the_timeline_stamps_the_contact_and_is_published(
    api: Api, grace: Contact, run_jobs: Callable[[], int]
) -> None:
    answer = api.about(
        ACTIVITIES, str(grace.id), **CALL, description="She likes it", properties={"minutes": 5}
    )

    entry = Activity.objects.get()
    assert (answer.status_code, answer.json) == (
        200,
        {"success": True, "data": {"activityId": str(entry.id)}},
    )
    assert (entry.workspace_id, entry.contact_id) == (api.workspace.id, grace.id)
    assert (entry.kind, entry.title) == ("call", "Called about the offer")
    assert entry.details == {"minutes": 5, "description": "She likes it"}
    assert grace.reload().last_activity_at == entry.happened_at
    record = EventRecord.objects.get()
    assert (record.type, record.payload["activityId"], record.payload["kind"]) == (
        "activity.logged",
        str(entry.id),
        "call",
    )
    run_jobs()
    assert EventRecord.objects.get().status == "done"


def test_a_demo_request_is_an_event_of_its_own(api: Api, grace: Contact) -> None:
    api.about(ACTIVITIES, str(grace.id), type="demo_request", title="Wants to see it")
    record = EventRecord.objects.get(type="demo.requested")
    assert record.payload["requestId"] == str(Activity.objects.get().id)


def test_a_double_click_is_one_activity(api: Api, grace: Contact) -> None:
    first, again = (api.about(ACTIVITIES, str(grace.id), **CALL) for _ in range(2))
    assert first.json == again.json
    assert api.about(ACTIVITIES, str(grace.id), **CALL | {"title": "Again"}).json != first.json
    assert Activity.objects.count() == EventRecord.objects.count() == 2


def test_a_clients_own_key_makes_it_unique(api: Api, grace: Contact) -> None:
    first = api.about(ACTIVITIES, str(grace.id), key="a", **CALL).json
    assert api.about(ACTIVITIES, str(grace.id), key="a", **CALL).json == first
    assert api.about(ACTIVITIES, str(grace.id), key="b", **CALL).json != first
    other = api.about(ACTIVITIES, str(grace.id), key="a", **CALL | {"title": "Another"})
    assert (other.status_code, other.json["message"][:16]) == (422, "Idempotency-Key:")
    assert Activity.objects.count() == 2


def test_a_retry_publishes_once_what_a_crash_held_back(
    api: Api, grace: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise AutoReconnect("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(EventRecord, "accept", die)
        assert api.about(ACTIVITIES, str(grace.id), **CALL).status_code == 503
    assert api.about(ACTIVITIES, str(grace.id), **CALL).status_code == 200
    assert Activity.objects.count() == EventRecord.objects.count() == 1


def test_a_contact_of_another_workspace_is_a_404(api: Api) -> None:
    other = Workspace(name="Other").save()
    theirs, _ = Contact.upsert(other.id, "grace@navy.test", {})
    for contact_id in (str(theirs.id), str(ObjectId())):
        assert api.about(ACTIVITIES, contact_id, **CALL).status_code == 404
    assert Activity.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contactId", "x"),
        ("type", ""),
        ("title", " "),
        ("title", "a" * 257),
        ("title", "\x1b[2J"),
        ("description", 5),
        ("properties", {"a.b": 1}),
        ("happenedAt", "yesterday"),
        ("happenedAt", "9999-01-01T00:00:00Z"),
        ("assignedTo", "x"),
        ("typo", 1),
    ],
)
def test_a_bad_field_is_refused_by_its_name(api: Api, grace: Contact, field: str, value: Any) -> None:
    answer = api.about(ACTIVITIES, **{"contact_id": str(grace.id), **CALL, field: value})
    assert answer.status_code == 422
    assert answer.json["message"].startswith(field)
    assert Activity.objects.count() == 0
