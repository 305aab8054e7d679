"""Dry runs: what an automation would do, and that nothing comes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from consumers import automations
from models import store
from models.contact import Contact
from models.email_account import EmailAccount, MailServer
from models.event import EventRecord
from models.sequence import Sequence
from models.suppression import Suppression
from models.workspace import Workspace
from queues.connection import redis
from tests.automations import OWNER, created, grace
from tests.web.automations.conftest import Api, definition

CONDITIONS = [
    {"field": "event.source", "operator": "equals", "value": "form"},
    {"field": "contact.leadScore", "operator": "greater_than", "value": 50},
    {"field": "contact.phone", "operator": "equals", "value": None},
]
ACTIONS = [
    {"type": "notify", "message": "{{contact.firstName}} came by {{event.source}}"},
    {"type": "create_task", "title": "{{contact.jobTitle}}"},
    {"type": "update_contact", "fields": {"company": "{{contact.company}} Inc"}},
]


def try_it(api: Api, trigger: str, event: dict[str, Any]) -> Any:
    answer = api.call("POST", f"/triggers/{trigger}/dry-run", json=event)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def everything() -> dict[str, Any]:
    """All that is stored, and all of Redis."""
    stored = {
        kind.__name__: sorted(map(str, kind._get_collection().find()))
        for kind in store.documents()
        if kind.__name__ != "ApiToken"
    }
    return {**stored, "redis": sorted(redis().scan_iter())}


def test_it_says_which_conditions_hold_and_why_not(api: Api) -> None:
    trigger = api.created(conditions=CONDITIONS, actions=ACTIONS)
    contact = grace(api.workspace)
    told = try_it(api, trigger, {"event": {"payload": {"contactId": str(contact.id), "source": "form"}}})

    assert [c["holds"] for c in told["conditions"]] == [True, False, True]
    assert [c["actual"] for c in told["conditions"]] == ["form", 45, None]
    assert told["conditions"][1]["why"] == "contact.leadScore is 45: greater_than 50 does not hold"
    assert told["conditions"][2]["why"] == "contact.phone is empty: equals null holds"
    assert (told["wouldRun"], told["reason"]) == (False, told["conditions"][1]["why"])


def test_it_shows_the_actions_filled_or_what_keeps_them_from_being_done(api: Api) -> None:
    trigger = api.created(conditions=[], actions=ACTIONS)
    told = try_it(api, trigger, {"eventId": created(grace(api.workspace))})

    assert (told["wouldRun"], told["reason"]) == (True, None)
    notice, task, update = told["actions"]
    assert (notice["message"], notice["problem"]) == ("Grace came by form", None)
    assert task["title"] == "{{contact.jobTitle}}"
    assert task["problem"].startswith("contact.jobTitle is empty")
    assert update["fields"] == {"company": "Navy Inc"}


def test_it_changes_nothing(api: Api) -> None:
    trigger = api.created(conditions=[], actions=ACTIONS)
    event_id = created(grace(api.workspace))
    api.get()
    before = everything()
    try_it(api, trigger, {"eventId": event_id})
    draft = {"trigger": definition(), "eventId": event_id}
    assert api.call("POST", "/triggers/dry-run", json=draft).status_code == 200

    assert everything() == before


def test_a_draft_can_be_tried_before_it_is_saved(api: Api) -> None:
    body = {"trigger": definition(actions=ACTIONS[:1]), "eventId": created(grace(api.workspace))}
    told = api.call("POST", "/triggers/dry-run", json=body).get_json()["data"]
    assert told["actions"][0]["message"] == "Grace came by form"

    body["trigger"] = definition(eventType="nothing")
    answer = api.call("POST", "/triggers/dry-run", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["message"].startswith("trigger.eventType: unknown event type 'nothing'")


def test_it_says_when_the_contact_is_missing(api: Api) -> None:
    trigger = api.created(conditions=[], actions=[ACTIONS[2]])
    contact = grace(api.workspace)
    Contact.objects.delete()
    told = try_it(api, trigger, {"event": {"payload": {"contactId": str(contact.id), "source": "form"}}})

    assert told["actions"][0]["problem"] == "the event has no contact, so this action would be skipped"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"isActive": False}, "the automation is switched off"),
        ({"eventType": "contact.updated"}, "it waits for contact.updated, and this event is contact.created"),
    ],
)
def test_it_says_why_nothing_would_happen(api: Api, change: dict[str, Any], reason: str) -> None:
    trigger = api.created(conditions=[], **change)
    told = try_it(api, trigger, {"eventId": created(grace(api.workspace))})

    assert (told["wouldRun"], told["reason"]) == (False, reason)


def test_it_says_that_a_bounce_is_not_answered(api: Api) -> None:
    mail = {"type": "send_email", "subject": "Hello", "body": "Again"}
    trigger = api.created(eventType="email.bounced", conditions=[], actions=[mail])
    contact = str(grace(api.workspace).id)
    ids = {"messageId": contact, "accountId": contact, "contactId": contact}
    told = try_it(api, trigger, {"event": {"payload": {**ids, "recipients": [], "isPermanent": True}}})

    assert told["actions"][0]["problem"] == "a mail that came back is never answered by a machine"


def test_it_says_that_a_suppressed_contact_gets_no_mail(api: Api) -> None:
    mail = {"type": "send_email", "subject": "Hello", "body": "Again"}
    trigger = api.created(conditions=[], actions=[mail])
    event = created(grace(api.workspace))
    mailbox(api.workspace)
    assert try_it(api, trigger, {"eventId": event})["actions"][0]["problem"] is None

    Suppression.add(api.workspace.id, ["grace@navy.test"], "unsubscribed", store.now())
    told = try_it(api, trigger, {"eventId": event})
    assert told["actions"][0]["problem"] == "the contact unsubscribed, so it gets no mail"


def mailbox(workspace: Workspace) -> EmailAccount:
    """Of the contacts' owner."""
    server = MailServer(host="127.0.0.1", port=1, username="u", password="p", security="plain")
    own = {"workspace_id": workspace.id, "user_id": OWNER, "address": "us@acme.test"}
    return EmailAccount(**own, imap=server, smtp=server).save()


def test_it_says_that_nobody_can_send_the_mail(api: Api) -> None:
    mail = {"type": "send_email", "subject": "Hello", "body": "Again"}
    trigger, event = api.created(conditions=[], actions=[mail]), created(grace(api.workspace))
    problem = try_it(api, trigger, {"eventId": event})["actions"][0]["problem"]
    assert problem.startswith("the contact's owner has no mailbox that can send")

    mail["accountId"] = str(mailbox(api.workspace).id)
    trigger = api.created(conditions=[], actions=[mail])
    EmailAccount.objects.update(set__status="locked")
    problem = try_it(api, trigger, {"eventId": event})["actions"][0]["problem"]
    assert problem.startswith("the mailbox us@acme.test is locked")


def test_it_says_that_a_sequence_takes_nobody(api: Api) -> None:
    sequence = Sequence(workspace_id=api.workspace.id, name="Onboarding").save()
    action = {"type": "enroll_in_sequence", "sequenceId": str(sequence.id)}
    trigger, event = api.created(conditions=[], actions=[action]), {"eventId": created(grace(api.workspace))}
    assert try_it(api, trigger, event)["actions"][0]["problem"] is None

    Sequence.objects.update(set__is_active=False)
    assert try_it(api, trigger, event)["actions"][0]["problem"] == "the sequence Onboarding is switched off"
    Sequence.objects.delete()
    assert "there is no sequence" in try_it(api, trigger, event)["actions"][0]["problem"]


def test_it_says_that_webhooks_are_off(api: Api) -> None:
    draft = definition(conditions=[], actions=[{"type": "webhook", "url": "https://hooks.test/"}])
    body = {"trigger": draft, "eventId": created(grace(api.workspace))}
    told = api.call("POST", "/triggers/dry-run", json=body).get_json()["data"]

    assert told["actions"][0]["problem"].startswith("set WEBHOOK_SECRET")


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ({"type": "notify", "message": "x"}, "userId"),
        ({"type": "create_task", "title": "y"}, "assignedTo"),
        ({"type": "update_contact"}, "fields"),
    ],
)
def test_it_says_that_whom_it_names_has_left(api: Api, action: dict[str, Any], named: str) -> None:
    ada = str(api.workspace.members[0].user_id)
    action = action | {named: {"assignedTo": ada} if named == "fields" else ada}
    trigger, event = api.created(conditions=[], actions=[action]), {"eventId": created(grace(api.workspace))}
    assert try_it(api, trigger, event)["actions"][0]["problem"] is None

    Workspace.objects.update(set__members__0__is_active=False)
    problem = try_it(api, trigger, event)["actions"][0]["problem"]
    assert problem.startswith(f"no active member {ada} in this workspace")
    assert "no member" in api.refusal(conditions=[], actions=[action])


def test_it_says_that_the_limit_of_the_minute_is_reached(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = store.now()
    monkeypatch.setattr(store, "now", lambda: moment)
    trigger, contact = api.created(conditions=[], maxRunsPerMinute=1), grace(api.workspace)
    first = created(contact)
    assert try_it(api, trigger, {"eventId": first})["wouldRun"]

    automations.run(first)
    other = {"event": {"payload": {"contactId": str(contact.id), "source": "form"}}}
    told = try_it(api, trigger, other)
    assert (told["wouldRun"], told["reason"]) == (False, "it ran 1 times in this minute, which is its limit")
    moment += timedelta(minutes=1)
    assert try_it(api, trigger, other)["wouldRun"]


def test_it_knows_that_machines_set_off_nothing(api: Api) -> None:
    trigger = api.created(eventType="email.opened", conditions=[])
    contact = str(grace(api.workspace).id)
    opened = {
        "contactId": contact,
        "attemptId": contact,
        "hitId": contact,
        "openedAt": store.now().isoformat(),
    }
    told = {
        is_machine: try_it(api, trigger, {"event": {"payload": {**opened, "isMachine": is_machine}}})
        for is_machine in (False, True)
    }

    assert (told[False]["wouldRun"], told[True]["wouldRun"]) == (True, False)
    assert told[True]["reason"] == "a machine did it, such as a scanner of mail, and that sets off nothing"


def test_it_knows_that_an_automation_does_not_wait_for_its_own_end(api: Api) -> None:
    trigger = api.created(
        eventType="workflow.completed", conditions=[], actions=[{"type": "notify", "message": "x"}]
    )
    other = "0" * 24
    answers = [
        try_it(api, trigger, {"event": {"payload": {"triggerId": t, "eventId": other, "outcome": "failed"}}})
        for t in (other, trigger)
    ]

    assert [answer["wouldRun"] for answer in answers] == [True, False]
    assert answers[1]["reason"] == "it is the automation's own end, for which it does not wait"


def test_it_knows_the_end_of_a_chain(api: Api) -> None:
    trigger, event_id = api.created(), created(grace(api.workspace))
    EventRecord.objects.update(set__depth=8)

    assert "chain of 8 automations" in try_it(api, trigger, {"eventId": event_id})["reason"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "body: must have either eventId or event"),
        ({"eventId": "0" * 24, "event": {"payload": {}}}, "body: must have either eventId or event"),
        ({"eventId": "x"}, "eventId: must be a 24-digit hexadecimal id"),
        ({"event": {}}, "event.payload: Field required"),
        ({"event": {"payload": {"source": "form"}}}, "event.payload.contactId: Field required"),
        (
            {"event": {"payload": {"contactId": "0" * 24, "source": "form", "x": 1}}},
            "event.payload.x: is not a known field",
        ),
    ],
)
def test_a_bad_event_is_refused_by_name(api: Api, body: dict[str, Any], message: str) -> None:
    answer = api.call("POST", f"/triggers/{api.created()}/dry-run", json=body)

    assert (answer.status_code, answer.get_json()["message"]) == (422, message)
