"""Batches of visitor events."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from consumers import activity
from consumers.dispatch import ReactionsFailed
from models import store
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from queues.connection import redis
from queues.job import Job
from tests.web.public.conftest import TRACK, Api, count_round_trips, published, settle_visits

Counter = Callable[[], AbstractContextManager[list[str]]]


def test_a_batch_is_stored_as_it_was_sent(api: Api) -> None:
    answer = api.track(api.event(timestamp="2026-01-31T12:00:00.123+01:00"), api.event(eventType="download"))

    assert (answer.status_code, answer.json) == (200, {"success": True, "accepted": 2, "refused": []})
    stored = VisitorEvent.objects.get(event_type="page_view")
    assert stored.happened_at.isoformat() == "2026-01-31T11:00:00.123000+00:00"
    assert stored.workspace_id == api.workspace.id
    assert (stored.visitor_id, stored.session_id, stored.event_name) == (
        "visitor-1",
        "session-1",
        "Page viewed",
    )
    assert stored.url == "https://www.acme.test/pricing?plan=team"
    assert stored.referrer is None
    assert stored.properties == {"title": "Pricing"}
    assert stored.device == {"user_agent": "Firefox", "screen": "1920x1080", "language": "en"}
    assert stored.utm == {"utmSource": "newsletter"}
    assert stored.sdk_version == "1.2.0"
    assert stored.contact_id is None


def test_the_least_event_is_accepted(api: Api) -> None:
    needed = ("workspaceId", "visitorId", "sessionId", "eventType", "eventName", "url", "timestamp")
    assert api.track({name: api.event()[name] for name in needed}).status_code == 200


def test_page_views_are_published_and_other_types_are_only_stored(api: Api) -> None:
    api.track(api.event(), api.event(eventType="button_click"), api.event(eventType="my own type"))

    assert VisitorEvent.objects.count() == 3
    record = published().get()
    visit = VisitorEvent.objects.get(event_type="page_view")
    assert (record.type, record.status) == ("page.viewed", "done")
    assert record.payload["visitId"] == str(visit.id)
    assert "contactId" not in record.payload


def test_a_retry_stores_and_publishes_each_event_once(api: Api) -> None:
    batch = api.events(3)
    assert api.track(*batch).json == api.track(*batch, batch[0]).json | {"accepted": 3}
    assert VisitorEvent.objects.count() == published().count() == 3


@pytest.mark.parametrize(
    "change",
    [
        {"visitorId": "visitor-2"},
        {"sessionId": "session-2"},
        {"eventType": "custom"},
        {"eventName": "Other"},
        {"url": "https://www.acme.test/"},
        {"timestamp": "2026-01-01T00:00:00.001Z"},
    ],
)
def test_events_that_differ_in_any_part_of_the_key_are_two(api: Api, change: dict[str, str]) -> None:
    first = api.event(timestamp="2026-01-01T00:00:00Z")
    api.track(first, first | change)
    assert VisitorEvent.objects.count() == 2


def test_a_retry_of_a_request_that_died_stores_and_publishes_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = api.events(2)

    def die(*_: object) -> None:
        raise AutoReconnect("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(EventRecord, "accept", die)
        assert api.track(*batch, settle=False).status_code == 503
    assert VisitorEvent.objects.count() == EventRecord.objects.count() == 0

    assert [api.track(*batch, settle=False).status_code for _ in range(2)] == [200, 200]
    assert EventRecord.objects.count() == 1
    settle_visits()
    assert VisitorEvent.objects.count() == published().count() == 2


@pytest.mark.parametrize("dies_in", [(EventRecord, "mark_all_done"), (VisitorEvent, "set_contacts")])
def test_a_batch_whose_job_died_in_the_middle_is_completed_by_the_next_run(
    api: Api, monkeypatch: pytest.MonkeyPatch, run_jobs: Callable[[], int], dies_in: tuple[type, str]
) -> None:
    api.identify()

    def die(*_: object) -> None:
        raise AutoReconnect("connection lost")

    api.track(*api.events(3), settle=False)
    with monkeypatch.context() as patch:
        patch.setattr(*dies_in, die)
        with pytest.raises(ReactionsFailed):
            settle_visits()
    settle_visits()
    run_jobs()
    assert published().filter(type="page.viewed", status="done").count() == 3
    assert Activity.objects(kind="page_viewed").count() == 3


def test_page_views_whose_reaction_fails_are_retried_one_by_one(
    api: Api, monkeypatch: pytest.MonkeyPatch, run_jobs: Callable[[], int]
) -> None:
    api.identify()

    def fail(*_: object) -> None:
        raise ValueError("no timeline today")

    with monkeypatch.context() as patch:
        patch.setattr(activity, "all_logged", fail)
        api.track(*api.events(3))
    views = published().filter(type="page.viewed")
    assert {view.status for view in views} == {"pending"}
    assert all(Job.exists(view.job_id, connection=redis()) for view in views)
    run_jobs()
    assert {view.status for view in views.clone()} == {"done"}
    assert Activity.objects(kind="page_viewed").count() == 3


def test_what_was_stored_does_not_stay_in_the_ledger_too(api: Api) -> None:
    api.track(api.event())
    assert EventRecord.objects.get(type="visits.tracked").payload["visits"] == []


def test_one_bad_event_does_not_lose_the_others(api: Api) -> None:
    batch = api.events(4)
    batch[1]["workspaceId"] = "nonsense-value"
    batch[3]["timestamp"] = (store.now() + timedelta(minutes=6)).isoformat()

    answer = api.track(*batch)

    assert (answer.status_code, answer.json["success"], answer.json["accepted"]) == (200, True, 2)
    assert [refused["index"] for refused in answer.json["refused"]] == [1, 3]
    assert answer.json["refused"][0]["message"] == "workspaceId: must be a 24-digit hexadecimal id"
    assert answer.json["refused"][1]["message"].startswith("timestamp: must not lie in the future")
    assert {event.url for event in VisitorEvent.objects} == {batch[0]["url"], batch[2]["url"]}


def test_a_clock_that_is_five_minutes_fast_is_accepted(api: Api) -> None:
    ahead = store.now() + timedelta(minutes=4, seconds=55)
    assert api.track(api.event(timestamp=ahead.isoformat())).status_code == 200


def test_a_batch_of_bad_events_alone_is_a_422_that_a_client_does_not_retry(api: Api) -> None:
    answer = api.track(api.event(url="javascript:alert(1)"), {})
    assert answer.status_code == 422
    assert answer.json["success"] is False
    assert answer.json["message"] == "events: all were refused"
    assert [refused["index"] for refused in answer.json["refused"]] == [0, 1]
    assert EventRecord.objects.count() == VisitorEvent.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workspaceId", "x"),
        ("workspaceId", None),
        ("workspaceId", {"$gt": ""}),
        ("visitorId", ""),
        ("visitorId", "a" * 129),
        ("visitorId", "nul\0"),
        ("visitorId", {"$ne": None}),
        ("sessionId", 7),
        ("eventType", ""),
        ("eventName", ["x"]),
        ("eventName", "half \ud800"),
        ("url", "ftp://acme.test"),
        ("url", "http://[broken"),
        ("url", "https://acme.test/" + "a" * 4_096),
        ("timestamp", "yesterday"),
        ("timestamp", "2026-01-31T12:00:00"),
        ("timestamp", 1_769_860_800),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
        ("timestamp", "9999-12-31T23:59:59Z"),
        ("timestamp", True),
        ("properties", []),
        ("properties", {"a.b": 1}),
        ("properties", {"$set": 1}),
        ("properties", {"": 1}),
        ("properties", {"nul\0": 1}),
        ("properties", {"deep": [[[[[[1]]]]]]}),
        ("properties", {"big": 2**63}),
        ("properties", {"text": "a" * 8_193}),
        ("properties", {"nul": {"in": ["a\0"]}}),
        ("properties", {"list": list(range(101))}),
        ("properties", {str(number): number for number in range(101)}),
        ("device", "phone"),
        ("device", {"screen": {"width": 1}}),
        ("utm", {"utmSource": ["a"]}),
        ("leadScore", 100),
    ],
)
def test_a_bad_field_is_refused_by_its_name_and_its_value_is_not_repeated(
    api: Api, field: str, value: Any
) -> None:
    answer = api.track(api.event(**{field: value}))
    assert answer.status_code == 422
    message = answer.json["refused"][0]["message"]
    assert message.startswith(field)
    assert "\0" not in message
    assert len(message) < 300


def test_an_unknown_workspace_is_refused_by_name(api: Api) -> None:
    answer = api.track(api.event(workspaceId=str(ObjectId())), api.event())
    assert answer.json["refused"] == [{"index": 0, "message": "workspaceId: no such workspace"}]


@pytest.mark.parametrize("events", [None, {}, [], "x", [{}] * 101])
def test_a_batch_is_a_list_of_1_to_100_events(api: Api, events: Any) -> None:
    answer = api.client.post(TRACK, json={"events": events})
    assert answer.status_code == 422
    assert answer.json["message"].startswith("events: ")


def test_a_hundred_events_are_accepted_at_once(api: Api) -> None:
    assert api.track(*api.events(100)).json["accepted"] == 100
    assert VisitorEvent.objects.count() == published().filter(status="done").count() == 100


def test_visitors_are_looked_up_once_a_batch_where_somebody_has_refused(
    api: Api, count_store_commands: Counter
) -> None:
    api.consent(False, "somebody")
    api.track(api.event())
    with count_store_commands() as request:
        assert api.track(*api.events(100, sessionId="later"), settle=False).json["accepted"] == 100
    assert request == ["find", "insert"]


@pytest.mark.parametrize("is_identified", [False, True])
def test_a_batch_costs_the_store_commands_and_round_trips_of_one_page_view(
    api: Api, count_store_commands: Counter, is_identified: bool, run_jobs: Callable[[], int]
) -> None:
    if is_identified:
        api.identify()
        run_jobs()
    api.track(api.event(eventName="the first request loads scripts"))
    costs = []
    for number in (1, 10, 100):
        batch = api.events(number, sessionId=f"session of {number}")
        with count_store_commands() as request, count_round_trips() as trips:
            assert api.track(*batch, settle=False).json["accepted"] == number
        with count_store_commands() as handling, count_round_trips() as handling_trips:
            settle_visits()
        costs.append([request, len(trips), handling, len(handling_trips)])
        run_jobs()
    for request, trips, handling, handling_trips in costs:
        assert request == ["insert"]  # the ledger; the workspace was known, and that nobody has refused
        assert trips <= 3
        # The score: three commands, two for what it no longer remembers, four when it reaches a level.
        assert len(handling) <= (19 if is_identified else 11)
        assert handling_trips <= 2  # the timeline's job, and the event of a level that the score reached


def test_events_of_an_identified_visitor_carry_the_contact(api: Api, run_jobs: Callable[[], int]) -> None:
    contact_id = api.identify().json["contactId"]
    api.track(api.event(), api.event(visitorId="somebody-else"))

    assert str(VisitorEvent.objects.get(visitor_id="visitor-1").contact_id) == contact_id
    assert VisitorEvent.objects.get(visitor_id="somebody-else").contact_id is None
    assert EventRecord.objects.get(payload__visitorId="visitor-1").payload["contactId"] == contact_id
    run_jobs()
    assert Activity.objects(kind="page_viewed").count() == 1


def test_an_identification_between_the_insert_and_the_look_up_is_not_lost(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The insert of the events and `identify` cross each other."""
    insert = VisitorEvent.store

    def insert_then_identify(visits: list[VisitorEvent]) -> None:
        insert(visits)
        contact, _ = Contact.upsert(api.workspace.id, "grace@navy.test", {})
        Visitor.identify(api.workspace.id, "visitor-1", contact.id)  # its update has run before the insert

    monkeypatch.setattr(VisitorEvent, "store", insert_then_identify)
    api.track(api.event())
    assert VisitorEvent.objects.get().contact_id == Contact.objects.get().id


def test_a_batch_sent_by_several_threads_at_once_is_stored_once(api: Api) -> None:
    batch = api.events(5)

    def send(_: int) -> int:
        with api.client.application.test_client() as client:
            return client.post(TRACK, json={"events": batch}).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(8))) == {200}
    assert EventRecord.objects.count() == 1
    settle_visits()
    assert VisitorEvent.objects.count() == published().count() == 5


def test_batches_that_come_at_once_keep_their_own_ids(api: Api) -> None:
    """They may be stored by one command; each keeps the correlation id of its request."""

    def send(number: int) -> str:
        body = {"events": [api.event(sessionId=f"session-{number}")]}
        answer = api.client.application.test_client().post(
            TRACK, json=body, headers={"X-Request-ID": f"request-{number}"}
        )
        assert answer.json["accepted"] == 1
        return f"request-{number}"

    with ThreadPoolExecutor(8) as threads:
        sent = set(threads.map(send, range(24)))
    records = EventRecord.objects(type="visits.tracked")
    assert {record.correlation_id for record in records} == sent
    assert {r.payload["visits"][0]["sessionId"][8:] for r in records} == {name[8:] for name in sent}
    assert redis().llen("rq:queue:crm-events") == 24
