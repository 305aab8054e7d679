"""Who a visitor is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from models.contact import Contact
from models.event import EventRecord
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from tests.web.public.conftest import IDENTIFY, Api


def test_a_new_person_becomes_a_contact(api: Api, run_jobs: Callable[[], int]) -> None:
    answer = api.identify(
        "Grace@Navy.test", firstName="Grace", title="Admiral", phone=" ", favouriteColour="blue"
    )

    contact = Contact.objects.get()
    assert (answer.status_code, answer.json) == (200, {"success": True, "contactId": str(contact.id)})
    assert (contact.email, contact.source) == ("grace@navy.test", "api")
    assert (contact.first_name, contact.job_title, contact.phone) == ("Grace", "Admiral", None)
    assert contact.custom_fields == {"favouriteColour": "blue"}
    record = EventRecord.objects.get()
    assert (record.type, record.payload["source"]) == ("contact.created", "api")
    run_jobs()
    contact.reload()
    assert contact.lead_score
    assert contact.assigned_to == api.workspace.members[0].user_id


def test_only_empty_fields_of_a_known_contact_are_filled(api: Api) -> None:
    fields = {"first_name": "Grace", "source": "import", "custom_fields": {"plan": "team"}}
    known, _ = Contact.upsert(api.workspace.id, "grace@navy.test", fields)

    assert api.identify(firstName="G.", lastName="Hopper", plan="free", size=3).json["contactId"] == str(
        known.id
    )

    known.reload()
    assert (known.first_name, known.last_name, known.source) == ("Grace", "Hopper", "import")
    assert known.custom_fields == {"plan": "team", "size": 3}
    record = EventRecord.objects.get()
    assert record.type == "contact.updated"
    assert sorted(record.payload["changed"]) == ["customFields", "lastName"]


def test_earlier_events_of_the_visitor_get_the_contact_and_others_do_not(api: Api) -> None:
    api.track(*api.events(2), api.event(visitorId="somebody-else"))
    contact_id = ObjectId(api.identify().json["contactId"])
    assert VisitorEvent.objects(visitor_id="visitor-1", contact_id=contact_id).count() == 2
    assert VisitorEvent.objects.get(visitor_id="somebody-else").contact_id is None


def test_the_same_visitor_id_in_another_workspace_is_another_visitor(api: Api) -> None:
    other = type(api.workspace)(name="Other").save()
    api.track(api.event(workspaceId=str(other.id)))
    api.identify()
    assert VisitorEvent.objects.get().contact_id is None


def test_identifying_again_changes_nothing(api: Api) -> None:
    api.track(api.event())

    def everything() -> list[Any]:
        kinds = (Contact, Visitor, VisitorEvent, EventRecord)
        return [document.to_mongo() for kind in kinds for document in kind.objects]

    first = api.identify(firstName="Grace", size=3).json
    before = everything()
    assert api.identify(firstName="Grace", size=3).json == first
    assert everything() == before


def test_a_visitor_who_becomes_somebody_else_leaves_the_first_ones_events_alone(api: Api) -> None:
    api.track(api.event(eventName="first"))
    first = ObjectId(api.identify("grace@navy.test").json["contactId"])
    second = ObjectId(api.identify("ada@navy.test").json["contactId"])
    api.track(api.event(eventName="second"))
    assert VisitorEvent.objects.get(event_name="first").contact_id == first
    assert VisitorEvent.objects.get(event_name="second").contact_id == second


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workspaceId", "x"),
        ("workspaceId", "0" * 24),
        ("visitorId", ""),
        ("visitorId", None),
        ("email", "grace"),
        ("email", "grace@navy.test\0"),
        ("email", "a" * 300 + "@navy.test"),
        ("email", ["grace@navy.test"]),
        ("properties", "x"),
        ("properties", {"firstName": "nul\0"}),
        ("properties", {"firstName": {"$gt": ""}}),
        ("properties", {"lastName": "a" * 257}),
        ("properties", {"leadScore": 100}),
        ("properties", {"lead_score": 100}),
        ("properties", {"enrichment": {}}),
        ("properties", {"verificationStatus": "ok"}),
        ("properties", {"mergedInto": "x"}),
        ("properties", {"$where": "1"}),
        ("properties", {f"field{number}": 1 for number in range(101)}),
        ("userId", "x"),
    ],
)
def test_a_bad_field_is_refused_by_its_name_and_nothing_is_stored(api: Api, field: str, value: Any) -> None:
    good = {"workspaceId": str(api.workspace.id), "visitorId": "v", "email": "grace@navy.test"}
    answer = api.client.post(IDENTIFY, json={**good, field: value})
    assert answer.status_code in (404, 422)
    assert answer.json["success"] is False
    assert answer.json["message"].startswith(field)
    assert Contact.objects.count() == Visitor.objects.count() == EventRecord.objects.count() == 0


def test_a_retry_publishes_the_creation_that_a_crash_held_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise AutoReconnect("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(EventRecord, "accept", die)
        assert api.identify(firstName="Grace").status_code == 503
    assert (Contact.objects.count(), EventRecord.objects.count()) == (1, 0)

    assert api.identify(firstName="Grace").status_code == 200
    assert EventRecord.objects.get().type == "contact.created"
    assert not Contact.objects.get().unannounced


def identifications() -> list[str]:
    """The contacts that were told of, in order."""
    told = EventRecord.objects(type="visitor.identified").order_by("id")
    return [record.payload["contactId"] for record in told]


def test_an_identification_is_told_once_though_its_request_died_after_telling(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise AutoReconnect("connection lost")

    api.track(api.event())
    with monkeypatch.context() as patch:
        patch.setattr(Visitor, "counted", die)
        assert api.identify().status_code == 503
    contact_id = api.identify().json["contactId"]
    api.identify()

    assert identifications() == [contact_id]


def test_who_becomes_somebody_else_and_comes_back_is_told_of_each_time(api: Api) -> None:
    api.track(api.event())
    grace = api.identify("grace@navy.test").json["contactId"]
    api.identify("ada@navy.test")
    api.track(api.event(eventName="as Ada"))
    ada = api.identify("ada@navy.test").json["contactId"]
    for _ in range(2):
        api.identify("grace@navy.test")

    assert identifications() == [grace, grace]
    api.identify("ada@navy.test")
    assert identifications() == [grace, grace, ada]


def test_a_late_end_of_the_first_identification_leaves_the_next_one_of_the_same_person_to_be_told(
    api: Api,
) -> None:
    grace, ada = ObjectId(), ObjectId()
    first = Visitor.identify(api.workspace.id, "v", grace)
    Visitor.identify(api.workspace.id, "v", ada)
    again = Visitor.identify(api.workspace.id, "v", grace)
    assert first
    assert again
    first.counted()

    assert Visitor.objects.get().untold == again.untold != first.untold


def test_many_identifications_at_once_make_one_contact(api: Api) -> None:
    body = {"workspaceId": str(api.workspace.id), "visitorId": "v", "email": "grace@navy.test"}

    def send(_: int) -> tuple[int, str]:
        with api.client.application.test_client() as client:
            answer = client.post(IDENTIFY, json=body)
            return answer.status_code, answer.json["contactId"]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(8)))) == 1
    assert Contact.objects.count() == Visitor.objects.count() == 1
    assert EventRecord.objects.count() == 1


def test_it_costs_the_same_however_many_events_the_visitor_has(
    api: Api, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    api.track(api.event())
    with count_store_commands() as few:
        api.identify("grace@navy.test")
    api.track(*api.events(50, visitorId="visitor-2"))
    with count_store_commands() as many:
        api.client.post(
            IDENTIFY,
            json={"workspaceId": str(api.workspace.id), "visitorId": "visitor-2", "email": "ada@navy.test"},
        )
    assert many == few
