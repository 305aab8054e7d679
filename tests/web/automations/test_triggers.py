"""Create, list, read, replace and delete automations over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from models.trigger import Trigger
from tests.web.automations.conftest import Api, definition
from web.automations import triggers

EVERYTHING = {
    "name": "Everything",
    "eventType": "contact.created",
    "conditions": [
        {"field": "contact.leadScore", "operator": "greater_than", "value": 40.5},
        {"field": "contact.tags", "operator": "contains", "value": "vip"},
        {"field": "contact.phone", "operator": "equals", "value": None},
        {"field": "event.source", "operator": "in", "value": ["form", "api"]},
        {"field": "contact.customFields.plan", "operator": "not_equals", "value": "team"},
    ],
    "actions": [
        {"type": "notify", "message": "{{contact.email}}"},
        {"type": "create_task", "title": "Call {{contact.firstName|them}}"},
        {"type": "send_email", "subject": "Hello", "body": "Dear {{contact.firstName|friend}},\n"},
        {
            "type": "update_contact",
            "fields": {"company": "{{contact.customFields.employer|?}}", "customFields": {"seen": True}},
            "addTags": ["seen"],
            "removeTags": ["new"],
        },
    ],
    "isActive": False,
    "maxRunsPerMinute": 5,
}


def test_what_is_created_comes_back_as_it_was_given(api: Api) -> None:
    answer = api.call("POST", json=EVERYTHING)
    assert answer.status_code == 201
    data = answer.get_json()["data"]

    assert {name: data[name] for name in EVERYTHING} == EVERYTHING
    assert answer.headers["Location"] == f"{api.base}/triggers/{data['id']}"
    assert api.get(f"/triggers/{data['id']}").get_json() == {"success": True, "data": data}


def test_a_request_that_is_repeated_with_its_key_creates_one_trigger(api: Api, other: Api) -> None:
    def ids(api: Api, key: str) -> set[str]:
        answers = [api.call("POST", json=definition(), headers={"Idempotency-Key": key}) for _ in range(2)]
        assert {answer.status_code for answer in answers} == {201}
        return {answer.get_json()["data"]["id"] for answer in answers}

    assert len(ids(api, "a") | ids(api, "a")) == 1
    assert len(ids(api, "b") | ids(other, "a")) == 2
    assert api.call("POST", json=definition(), headers={"Idempotency-Key": "x" * 256}).status_code == 422
    assert Trigger.objects.count() == 3


def test_defaults_are_those_of_the_document(api: Api) -> None:
    answer = api.call("POST", json={k: v for k, v in definition().items() if k != "conditions"}).get_json()[
        "data"
    ]

    assert (answer["conditions"], answer["isActive"], answer["maxRunsPerMinute"]) == ([], True, None)


def test_a_replaced_trigger_is_replaced_whole(api: Api) -> None:
    trigger = api.created(**EVERYTHING)
    before = api.get(f"/triggers/{trigger}").get_json()["data"]
    answer = api.call("PUT", f"/triggers/{trigger}", json=definition())

    data = answer.get_json()["data"]
    assert answer.status_code == 200
    assert (data["id"], data["createdAt"]) == (trigger, before["createdAt"])
    assert data["updatedAt"] >= before["updatedAt"]
    assert {name: data[name] for name in definition()} == definition()
    assert (data["isActive"], data["maxRunsPerMinute"]) == (True, None)


def test_a_deleted_trigger_is_gone(api: Api) -> None:
    trigger = api.created()
    assert api.call("DELETE", f"/triggers/{trigger}").get_json() == {"success": True, "data": {"id": trigger}}

    for method in ("GET", "DELETE", "PUT"):
        answer = api.call(method, f"/triggers/{trigger}", json=definition())
        assert (answer.status_code, answer.get_json()["message"]) == (404, "triggerId: no such trigger")


def test_pages_hold_every_trigger_once_in_order(api: Api) -> None:
    ids = [api.created(name=f"Number {number}") for number in range(7)]
    seen, query = [], "?limit=3"
    while query:
        answer = api.get(f"/triggers{query}").get_json()
        seen.append([found["id"] for found in answer["data"]])
        query = f"?limit=3&cursor={answer['next']}" if answer["next"] else ""

    assert [len(page) for page in seen] == [3, 3, 1]
    assert [one for page in seen for one in page] == ids


def test_a_list_can_be_narrowed(api: Api) -> None:
    api.created()
    off = api.created(isActive=False)
    page = api.created(eventType="page.viewed", conditions=[])

    def ids(query: str) -> list[str]:
        return [found["id"] for found in api.get(f"/triggers?{query}").get_json()["data"]]

    assert ids("isActive=false") == [off]
    assert ids("eventType=page.viewed") == [page]
    assert ids("eventType=page.viewed&isActive=false") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=101", "limit: Input should be less than or equal to 100"),
        ("limit=many", "limit: Input should be a valid integer"),
        ("cursor=x", "cursor: must be the `next` of another page"),
        ("page=2", "page: is not a known field"),
    ],
)
def test_a_bad_query_is_refused_by_name(api: Api, query: str, message: str) -> None:
    answer = api.get(f"/triggers?{query}")

    assert answer.status_code == 422
    assert answer.get_json()["message"].startswith(message)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"eventType": "contact.create"}, "eventType: unknown event type 'contact.create'; did you mean"),
    ({"eventType": None}, "eventType: "),
    ({"name": ""}, "name: "),
    ({"name": "\ud800"}, "name: "),
    ({"colour": "red"}, "colour: is not a known field"),
    ({"isActive": "yes"}, "isActive: "),
    ({"maxRunsPerMinute": 0}, "maxRunsPerMinute: "),
    ({"conditions": [{}] * 21}, "conditions: "),
    ({"actions": []}, "actions: "),
    ({"actions": ["notify"]}, "actions.0: must be an object"),
    ({"actions": [{}]}, "actions.0.type: is required"),
    ({"actions": [{"type": "explode"}]}, "actions.0.type: unknown action 'explode'; there are send_email"),
    ({"actions": [{"type": ["notify"]}]}, "actions.0.type: unknown action"),
    ({"actions": [{"type": "notify"}]}, "actions.0.message: Field required"),
    ({"actions": [{"type": "notify", "message": "x", "text": "y"}]}, "actions.0.text: is not a known field"),
    ({"actions": [{"type": "notify", "message": "\ud800"}]}, "actions.0.message: "),
    ({"actions": [{"type": "update_contact"}]}, "actions.0: must set a field"),
    ({"actions": [{"type": "update_contact", "fields": {"leadScore": 1}}]}, "actions.0.fields.leadScore: is"),
    ({"actions": [{"type": "update_contact", "fields": {"status": "god"}}]}, "actions.0.fields.status: "),
    (
        {"actions": [{"type": "update_contact", "fields": {"customFields": {"a.b": 1}}}]},
        "actions.0.fields.customFields.a.b: a name has no dot",
    ),
    (
        {"actions": [{"type": "update_contact", "fields": {"customFields": {"a": {"$gt": 1}}}}]},
        "actions.0.fields.customFields.a: must be a text",
    ),
    ({"actions": [{"type": "enroll_in_sequence", "sequenceId": "x"}]}, "actions.0.sequenceId: must be a 24"),
    ({"actions": [{"type": "webhook", "url": "ftp://host/"}]}, "actions.0.url: "),
    (
        {"actions": [{"type": "webhook", "url": "http://10.0.0.1/"}]},
        "actions.0.url: 10.0.0.1 is not a public",
    ),
    ({"actions": [{"type": "webhook", "url": "http://[::1]/"}]}, "actions.0.url: ::1 is not a public"),
    ({"actions": [{"type": "webhook", "url": "https://u:p@host/"}]}, "actions.0.url: "),
    (
        {"actions": [{"type": "webhook", "url": "https://{{contact.company}}/"}]},
        "actions.0.url: must not hold variables",
    ),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_makes_no_sense_is_refused_by_name(api: Api, fields: dict[str, Any], message: str) -> None:
    assert message in api.refusal(**fields)
    assert Trigger.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "operator", "value", "message"),
    [
        (
            "contact.leadScor",
            "equals",
            1,
            "conditions.0.field: contact.created has no field 'contact.leadScor'",
        ),
        ("event.url", "equals", "x", "conditions.0.field: contact.created has no field 'event.url'"),
        ("deal.stage", "equals", "x", "conditions.0.field: contact.created has no field 'deal.stage'"),
        ("contact.customFields", "equals", "x", "conditions.0.field: "),
        (
            "contact.leadScore",
            "resembles",
            1,
            "conditions.0.operator: unknown operator 'resembles'; there are",
        ),
        (
            "contact.leadScore",
            "greater_than",
            "many",
            "conditions.0.value: must be a number for greater_than",
        ),
        ("contact.leadScore", "less_than", True, "conditions.0.value: must be a number for less_than"),
        ("contact.leadScore", "in", 5, "conditions.0.value: must be a list for in"),
        ("contact.leadScore", "contains", None, "conditions.0.value: must be a text or a number"),
        ("contact.leadScore", "equals", {"$gt": 1}, "conditions.0.value: must be a text, a number"),
        ("contact.leadScore", "equals", 2**63, "conditions.0.value: must be a number of at most 64 bits"),
        ("contact.company", "in", ["x"] * 101, "conditions.0.value: must have at most 100 items"),
        ("contact.company", "equals", "x" * 9_000, "conditions.0.value: must have at most 8192 characters"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_by_name(
    api: Api, field: str, operator: str, value: Any, message: str
) -> None:
    assert message in api.refusal(conditions=[{"field": field, "operator": operator, "value": value}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{contact.firstNam}}", "has no variable 'contact.firstNam'; did you mean contact.firstName?"),
        ("{{event.url}}", "contact.created has no variable 'event.url'"),
        ("{{secret}}", "contact.created has no variable 'secret'"),
        ("{{contact.first name}}", "holds {{ that begins no variable"),
        ("{{contact.firstName", "holds {{ that begins no variable"),
        ("{{}}", "holds {{ that begins no variable"),
    ],
)
@pytest.mark.parametrize(
    ("place", "action"),
    [
        ("message", {"type": "notify"}),
        ("title", {"type": "create_task"}),
        ("body", {"type": "send_email", "subject": "Hi"}),
        ("subject", {"type": "send_email", "body": "Hi"}),
    ],
)
def test_an_unknown_variable_is_refused_by_name(
    api: Api, place: str, action: dict[str, Any], text: str, message: str
) -> None:
    told = api.refusal(actions=[{"type": "notify", "message": "fine"}, {**action, place: text}])

    assert told.startswith(f"actions.1.{place}: ")
    assert message in told


def test_variables_of_inner_fields_are_checked_too(api: Api) -> None:
    told = api.refusal(
        actions=[
            {
                "type": "update_contact",
                "fields": {"company": "{{contact.a}}", "customFields": {"x": "{{b}}"}},
            },
            {"type": "webhook", "url": "https://host.example/", "data": {"y": "{{c}}"}},
        ]
    )
    places = ("actions.0.fields.company", "actions.0.fields.customFields.x", "actions.1.data.y")
    assert [told.count(place) for place in places] == [1, 1, 1]


def test_an_action_on_the_contact_needs_an_event_with_one(api: Api) -> None:
    event_type = "integration.token_failed"
    told = api.refusal(
        eventType=event_type, conditions=[], actions=[{"type": "update_contact", "addTags": ["x"]}]
    )
    assert told == f"actions.0.type: {event_type} has no contact for update_contact"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"type": "notify", "message": "x", "userId": "0" * 24}, "actions.0.userId: no member"),
        ({"type": "create_task", "title": "x", "assignedTo": "0" * 24}, "actions.0.assignedTo: no member"),
        ({"type": "update_contact", "fields": {"assignedTo": "0" * 24}}, "actions.0.fields.assignedTo: no"),
        ({"type": "send_email", "subject": "x", "body": "y", "accountId": "0" * 24}, "accountId: no mailbox"),
        ({"type": "enroll_in_sequence", "sequenceId": "0" * 24}, "actions.0.sequenceId: no sequence"),
        ({"type": "webhook", "url": "https://host.example/"}, "actions.0.url: webhooks are off here"),
    ],
)
def test_an_id_that_leads_nowhere_is_refused_by_name(api: Api, action: dict[str, Any], message: str) -> None:
    assert message in api.refusal(actions=[action])


def test_a_workspace_has_a_most_of_automations(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "MOST", 2)
    assert [api.create().status_code for _ in range(3)] == [201, 201, 409]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": "a", "name": "b"}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    answer = api.call("POST", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.get_json()["success"] is False


def test_an_automation_stored_before_there_was_an_api_reads_as_any_other(api: Api) -> None:
    old = {
        "name": "Old",
        "event_type": "contact.created",
        "actions": [{"kind": "create_task", "text": "Call"}],
    }
    Trigger(workspace_id=api.workspace.id, id=ObjectId("0" * 24), **old).save()

    assert api.get(f"/triggers/{'0' * 24}").get_json()["data"]["actions"] == [
        {"type": "create_task", "title": "Call"}
    ]
