"""What happened in the CRM, told over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from bson import ObjectId
from werkzeug.test import TestResponse

from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.notification import Notification
from publishers import deals, relay
from sandbox.process import Server
from schemas import authority, event
from schemas.event import Event, catalogue, register, upcasts
from tests.automations import grace
from tests.publishers.ageing import make_due
from tests.reactions import timeline
from tests.schemas.test_event import FIXTURES
from tests.web.automations.conftest import Api, api, other
from tests.web.public.conftest import count_round_trips

__all__ = ["api", "other"]  # fixtures

ID = "66f0c1d2e3a4b5c6d7e8f901"
WON = {"dealId": ID, "closedAt": "2026-02-04T12:00:00Z", "amount": 9000, "currency": "EUR"}
GOLDEN = [json.loads(path.read_text()) for path in FIXTURES]
TOLD = [each for each in GOLDEN if each["type"] not in authority.OURS]


def tell(api: Api, *events: dict[str, Any], **options: Any) -> TestResponse:
    return api.call("POST", "/events", json={"events": list(events)}, **options)


def ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 202, answer.text
    assert answer.get_json()["success"] is True
    return list(answer.get_json()["data"]["ids"])


def refusal(answer: TestResponse) -> str:
    assert answer.status_code == 422, answer.text
    assert EventRecord.objects.count() == 0
    return str(answer.get_json()["message"])


def updated(contact: ObjectId | str = ID, *changed: str) -> dict[str, Any]:
    return {"type": "contact.updated", "payload": {"contactId": str(contact), "changed": list(changed)}}


def of(api: Api, golden: dict[str, Any]) -> dict[str, Any]:
    """The golden event as one of the workspace's."""
    return golden | {"payload": golden["payload"] | {"workspaceId": str(api.workspace.id)}}


def test_an_event_of_the_crm_has_its_effects(api: Api, run_jobs: Callable[[], int]) -> None:
    contact = grace(api.workspace)
    deal = Deal(workspace_id=api.workspace.id, contact_ids=[contact.id], title="Compilers").save()
    won = {**WON, "dealId": str(deal.id), "contactId": str(contact.id)}
    (event_id,) = ids(api.call("POST", "/events", json={"type": "opportunity.won", "payload": won}))

    record = EventRecord.objects.get()
    assert (str(record.id), record.type, record.version) == (event_id, "opportunity.won", 1)
    assert (record.workspace_id, record.payload["workspaceId"]) == (api.workspace.id, str(api.workspace.id))
    run_jobs()
    assert (deal.reload().status, deal.closed_at.isoformat()) == ("won", "2026-02-04T12:00:00+00:00")
    assert timeline(contact) == ["Opportunity won"]


@pytest.mark.parametrize("golden", TOLD, ids=lambda golden: f"{golden['type']}.v{golden['version']}")
def test_whatever_the_crm_is_the_authority_for_is_accepted(api: Api, golden: dict[str, Any]) -> None:
    (event_id,) = ids(tell(api, of(api, golden)))
    assert EventRecord.objects.get(id=event_id).type == golden["type"]


@pytest.mark.parametrize("kind", authority.OURS)
def test_what_we_find_out_ourselves_is_refused_by_name(api: Api, kind: str) -> None:
    golden = next(each for each in GOLDEN if each["type"] == kind)
    said = refusal(tell(api, updated(), of(api, golden)))
    assert said == f"events.1.type: {kind} is not accepted: it comes from {authority.OURS[kind]}"


def test_a_batch_is_answered_with_its_ids_in_order(api: Api) -> None:
    told = ids(tell(api, updated(ID, "phone"), {"type": "opportunity.won", "payload": WON}, updated()))
    kinds = [EventRecord.objects.get(id=each).type for each in told]
    assert kinds == ["contact.updated", "opportunity.won", "contact.updated"]
    assert len(set(told)) == 3


def test_events_of_one_record_keep_the_order_of_the_batch(api: Api) -> None:
    told = ids(tell(api, *(updated(ID, str(number)) for number in range(20))))
    records = EventRecord.objects.order_by("position")
    assert [str(record.id) for record in records] == told
    assert len({record.subject for record in records}) == 1


def test_a_batch_is_one_store_command_and_one_round_trip(
    api: Api, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    ids(tell(api, updated()))  # notes the use of the token, loads the scripts
    costs = []
    for number in (1, 100):
        with count_store_commands() as names, count_round_trips() as trips:
            ids(tell(api, *(updated(ObjectId()) for _ in range(number))))
        costs.append((names, len(trips)))
    assert costs == [(["find", "insert"], 1)] * 2  # the find is the token's


def test_all_events_of_a_request_have_its_correlation(api: Api) -> None:
    ids(tell(api, updated(), updated(), headers={"X-Request-ID": "crm-request-7"}))
    assert list(EventRecord.objects.scalar("correlation_id")) == ["crm-request-7"] * 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "type: Field required; payload: Field required"),
        ({"events": []}, "events: List should have at least 1 item"),
        ({"events": [updated()] * 101}, "events: List should have at most 100 items"),
        ({"events": {}}, "events: Input should be a valid list"),
        ({"events": [updated()], "type": "task.created"}, "type: is not a known field"),
        ({"events": [updated(), {"type": "task.created"}]}, "events.1.payload: Field required"),
        ({"events": [updated() | {"id": ID}]}, "events.0.id: is not a known field"),
        ({"events": [updated() | {"version": True}]}, "events.0.version: "),
        ({"events": [updated() | {"version": 0}]}, "events.0.version: "),
        ({"events": [updated() | {"version": 9}]}, "events.0.version: contact.updated has the versions [1]"),
        (
            {"events": [updated() | {"type": "contact.update"}]},
            "events.0.type: there is no event 'contact.update'; did you mean contact.updated?",
        ),
        ({"type": "contact.updated", "payload": {"changed": []}}, "payload.contactId: Field required"),
        (updated("x"), "payload.contactId: must be a 24-digit hexadecimal id"),
        ({"events": [updated(), updated("x")]}, "events.1.payload.contactId: must be a 24-digit"),
        (
            {"events": [updated(), {"type": "task.created", "payload": {"taskId": ID, "leadScore": 1}}]},
            "events.1.payload.leadScore: is not a known field",
        ),
        (updated(ID, "phone", "\ud800"), "payload.changed: must not contain half of a surrogate pair"),
        ({"type": "contact.updated", "payload": {"\ud800": 1}}, "payload: Input should be a valid string"),
        (
            {"type": "opportunity.won", "payload": {**WON, "closedAt": "0001-01-01T00:00:00+14:00"}},
            "payload.closedAt: must be a time of the years 1 to 9999",
        ),
        ({"type": "opportunity.won", "payload": {**WON, "closedAt": "2026-02-04"}}, "payload.closedAt: "),
        ({"type": "opportunity.won", "payload": {**WON, "amount": -1}}, "payload.amount: "),
        ({"type": "opportunity.won", "payload": {**WON, "amount": 10**400}}, "payload.amount: "),
    ],
)
def test_a_bad_event_is_refused_by_its_field_and_place(api: Api, body: Any, message: str) -> None:
    assert refusal(api.call("POST", "/events", json=body)).startswith(message)


def test_all_faults_of_a_batch_are_told_and_none_of_it_is_accepted(api: Api) -> None:
    said = refusal(tell(api, updated("x"), updated(), *([updated("y")] * 20)))
    assert said.startswith("events.0.payload.contactId: ")
    assert "; events.2.payload.contactId: " in said
    assert said.endswith("; and 11 more events")


@pytest.mark.parametrize(
    ("data", "status"), [("{", 400), ("[]", 400), ('{"type": "a", "type": "b"}', 400), ("NaN", 400)]
)
def test_what_is_no_json_object_is_refused(api: Api, data: str, status: int) -> None:
    answer = api.call("POST", "/events", data=data, content_type="application/json")
    assert (answer.status_code, answer.get_json()["success"]) == (status, False)


def test_an_old_version_is_lifted_and_one_that_does_not_fit_is_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in ("_classes", "_upcasters"):
        monkeypatch.setattr(event, table, dict(getattr(event, table)))

    @register
    class ParcelSent(Event):
        """A parcel went out."""

        type = "parcel.sent"
        version = 2

        grams: int

    @upcasts("parcel.sent", 1)
    def _in_grams(payload: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in payload.items() if name != "kilos"} | {
            "grams": payload["kilos"] * 1_000
        }

    (event_id,) = ids(tell(api, {"type": "parcel.sent", "version": 1, "payload": {"kilos": 2}}))
    record = EventRecord.objects.get(id=event_id)
    assert (record.version, record.payload["grams"]) == (2, 2_000)
    record.delete()
    said = refusal(tell(api, {"type": "parcel.sent", "version": 1, "payload": {"grams": 2}}))
    assert said == "events.0.payload: is none of version 1 of parcel.sent"
    assert ids(tell(api, {"type": "parcel.sent", "payload": {"grams": 2}}))


def test_an_event_that_something_makes_unique_is_accepted_once(api: Api) -> None:
    won = {"type": "opportunity.won", "payload": WON}
    first = ids(tell(api, won))
    assert ids(tell(api, won)) == first
    assert ids(tell(api, updated(), won))[1:] == first
    assert ids(tell(api, won, headers={"Idempotency-Key": "k"})) == first
    assert EventRecord.objects(type="opportunity.won").count() == 1


def test_it_is_one_event_whether_the_crm_tells_of_it_or_we_do(api: Api) -> None:
    deal = Deal(workspace_id=api.workspace.id, title="Compilers").save()
    deals.created(deal)
    told = ids(tell(api, {"type": "opportunity.created", "payload": {"dealId": str(deal.id).upper()}}))
    assert told == [str(EventRecord.objects.get().id)]


def test_with_a_key_any_request_can_be_repeated(api: Api, other: Api) -> None:
    def told(api: Api, key: str | None) -> list[str]:
        headers = {"Idempotency-Key": key} if key else {}
        return ids(tell(api, updated(), updated(), headers=headers))

    first = told(api, "import-7")
    assert len(set(first)) == 2
    assert told(api, "import-7") == first
    later = [told(api, "import-8"), told(other, "import-7"), told(api, None), told(api, None)]
    assert len({*first, *(each for some in later for each in some)}) == 10


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_no_or_too_many_characters_is_refused(api: Api, key: str) -> None:
    said = refusal(tell(api, updated(), headers={"Idempotency-Key": key}))
    assert said == "Idempotency-Key: must have 1 to 255 characters"


def test_the_workspace_is_that_of_the_address(api: Api, other: Api) -> None:
    theirs = updated()
    theirs["payload"]["workspaceId"] = str(other.workspace.id)
    said = refusal(tell(api, updated(), theirs))
    assert said.startswith("events.1.payload.workspaceId: must be the workspace of the address")
    theirs["payload"]["workspaceId"] = str(api.workspace.id).upper()
    (event_id,) = ids(tell(api, theirs))
    assert EventRecord.objects.get(id=event_id).workspace_id == api.workspace.id


def test_without_a_token_of_the_workspace_there_is_no_way_in(api: Api, other: Api) -> None:
    assert api.client.post(f"{api.base}/events", json=updated()).status_code == 401
    api.base = other.base
    answer = tell(api, updated())
    assert (answer.status_code, answer.get_json()["message"]) == (404, "workspaceId: no such workspace")
    assert EventRecord.objects.count() == 0


def test_whoever_names_anothers_record_takes_nothing_from_it(
    api: Api, other: Api, run_jobs: Callable[[], int]
) -> None:
    theirs = Contact(workspace_id=other.workspace.id, email="joan@navy.test").save()
    created = {"type": "contact.created", "payload": {"contactId": str(theirs.id), "source": "manual"}}
    (ours,) = ids(tell(api, created))
    run_jobs()
    assert theirs.reload().lead_grade is None
    assert Notification.objects.count() == 0
    (told,) = ids(tell(other, created))  # is no repetition of ours, and waits for nothing of ours
    assert told != ours
    assert len(set(EventRecord.objects.scalar("subject"))) == 2
    run_jobs()
    assert theirs.reload().lead_grade


def test_without_redis_it_is_accepted_and_done_later(
    no_redis: Server, api: Api, run_jobs: Callable[[], int]
) -> None:
    contact = Contact(workspace_id=api.workspace.id, email="joan@navy.test").save()
    created = {"type": "contact.created", "payload": {"contactId": str(contact.id), "source": "manual"}}
    told = ids(tell(api, created))
    assert EventRecord.objects.get(id=told[0]).status == "pending"
    no_redis.start()
    make_due()
    assert relay.relay() == 1
    run_jobs()
    assert contact.reload().lead_grade


def test_without_the_store_nothing_is_accepted(no_store: None, api: Api) -> None:
    answer = tell(api, updated())
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert answer.get_json() == {"success": False, "message": "the document store is away; try again"}


def test_the_catalogue_says_of_every_event_who_publishes_it() -> None:
    assert {*authority.OURS, *authority.ALSO_OURS} <= set(catalogue())
    assert not {*authority.OURS} & {*authority.ALSO_OURS}
