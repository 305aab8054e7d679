"""Automations: the check on each event, and the run of those whose conditions hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from consumers import automations
from models.contact import Contact
from models.event import EventRecord
from models.notification import Notification
from models.task import Task
from models.trigger import Trigger, TriggerAction, TriggerCondition
from models.workspace import Member, Workspace
from publishers import events
from queues.connection import redis
from schemas.contact import ContactCreated

pytestmark = pytest.mark.usefixtures("stores")

OWNER = ObjectId()
TASK = ("create_task", "Call {{contact.firstName|them}}")
BRIDGE = "rq:queue:crm-workflow-bridge"


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(name="Acme").save()


@pytest.fixture
def event_id(workspace: Workspace) -> str:
    """An event of a contact that is known to the last field."""
    fields = {"first_name": "Grace", "company": "Navy", "tags": ["vip"], "assigned_to": OWNER}
    contact, _ = Contact.upsert(workspace.id, "grace@navy.test", fields)
    contact.record_score(45, "C", [])
    return events.publish(
        ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="form")
    )


def automation(
    workspace: Workspace, *conditions: tuple[str, str, Any], actions: Any = (TASK,), **fields: Any
) -> Trigger:
    trigger = Trigger(
        workspace_id=workspace.id,
        conditions=[TriggerCondition(field=f, operator=o, value=v) for f, o, v in conditions],
        actions=[TriggerAction(kind=kind, text=text) for kind, text in actions],
        **{"name": "An automation", "event_type": "contact.created"} | fields,
    )
    return trigger.save()


def test_a_matching_automation_does_its_actions_once(workspace: Workspace, event_id: str) -> None:
    automation(workspace, actions=[TASK, ("notify", "{{contact.firstName}} of {{contact.company}} is here")])
    for _ in range(2):
        assert automations.run(event_id) == 1

    task, notice = Task.objects.get(), Notification.objects.get()
    assert (task.title, task.assigned_to, task.contact_id) == ("Call Grace", OWNER, Contact.objects.get().id)
    assert (notice.message, notice.user_id) == ("Grace of Navy is here", OWNER)


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        (("contact.leadScore", "greater_than", 40), True),
        (("contact.leadScore", "greater_than", 45), False),
        (("contact.tags", "contains", "vip"), True),
        (("contact.company", "not_equals", "Navy"), False),
        (("event.source", "in", ["form", "api"]), True),
        (("event.type", "equals", "contact.created"), True),
        (("contact.nothing", "equals", "x"), False),
    ],
)
def test_conditions_see_the_contact_and_the_event(
    workspace: Workspace, event_id: str, condition: tuple[str, str, Any], matches: bool
) -> None:
    automation(workspace, condition)

    assert automations.run(event_id) == int(matches)
    assert Task.objects.count() == int(matches)


def test_all_conditions_must_hold(workspace: Workspace, event_id: str) -> None:
    automation(workspace, ("event.source", "equals", "form"), ("contact.leadScore", "greater_than", 90))

    assert automations.run(event_id) == 0


def test_other_workspaces_other_events_and_inactive_automations_stay_out(
    workspace: Workspace, event_id: str
) -> None:
    automation(Workspace(name="Other").save())
    automation(workspace, event_type="contact.updated")
    automation(workspace, is_active=False)

    assert automations.run(event_id) == 0
    assert Task.objects.count() == 0


def test_a_broken_automation_holds_up_no_other(workspace: Workspace, event_id: str) -> None:
    automation(workspace, ("contact.leadScore", "greater_than", "many"), name="Senseless")
    automation(workspace, actions=[("notify", "{{contact.jobTitle}} is here")], name="Without fallback")
    automation(workspace, name="Sound")
    with pytest.raises(automations.AutomationsFailed, match=r"2 automation\(s\)") as failed:
        automations.run(event_id)

    assert failed.value.permanent
    notes = [note for error in failed.value.exceptions for note in error.__notes__]
    assert [note.split("(")[0] for note in notes] == [
        "in the automation Senseless ",
        "in the automation Without fallback ",
    ]
    assert Task.objects.get().title == "Call Grace"


def test_an_event_enqueues_its_automations_once_and_only_if_there_are_any(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    def create(email: str) -> str:
        contact, _ = Contact.upsert(workspace.id, email, {})
        return events.publish(
            ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="api")
        )

    create("first@navy.test")
    run_jobs()
    assert redis().keys("rq:job:automations-*") == []

    automation(workspace)
    second = create("second@navy.test")
    run_jobs()
    assert [key.decode() for key in redis().keys("rq:job:automations-*")] == [f"rq:job:automations-{second}"]
    assert Task.objects.count() == 1


def test_automations_of_a_new_contact_see_its_score_and_owner(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    workspace.members = [Member(name="Ada", email="ada@acme.test")]
    workspace.save()
    automation(workspace, ("contact.leadScore", "equals", 35))
    contact, _ = Contact.upsert(workspace.id, "new@navy.test", {"source": "form"})
    event = ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="form")
    event_id = events.publish(event)
    run_jobs()

    assert Task.objects.get().assigned_to == workspace.members[0].user_id
    assert EventRecord.objects.get(id=event_id).status == "done"
