"""Automations: the check on each event, and the job on `crm-workflow-bridge` that runs those that match."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from rq.timeouts import JobTimeoutException

from consumers.failures import Failures
from consumers.registry import Delivery
from models import facts
from models.event import EventRecord
from models.notification import Notification
from models.task import Task
from models.trigger import Trigger, TriggerAction
from queues.enqueue import NewJob, enqueue
from queues.names import CRM_WORKFLOW_BRIDGE
from schemas.event import Event
from services import conditions, merge_fields


class AutomationsFailed(Failures):
    """At least one automation raised; the others are done."""


def check(event: Event, delivery: Delivery) -> None:
    """Enqueue the run of the workspace's automations for this event, if it has any of its type.

    Safe to run twice: the job has the event's id.
    """
    if not Trigger.active_for(ObjectId(event.workspace_id), event.type):
        return
    enqueue(
        NewJob(
            queue=CRM_WORKFLOW_BRIDGE,
            func="consumers.automations.run",
            id=f"automations-{delivery.event_id}",
            kwargs={"event_id": delivery.event_id},
            description=f"automations for {event.type}",
            meta={**delivery.meta, "workspace_id": event.workspace_id},
        )
    )


def run(event_id: str) -> int:
    """Do the actions of every automation whose conditions hold; returns how many matched.

    One that fails holds up no other: `AutomationsFailed` is raised when all had their turn. Safe to run
    twice: each action has a key of event, automation and place.
    """
    record = EventRecord.objects.get(id=ObjectId(event_id))
    known = facts.of(record)
    matched, errors = 0, []
    for trigger in Trigger.active_for(record.workspace_id, record.type):
        try:
            matched += _run(trigger, record, known)
        except JobTimeoutException:
            raise
        except Exception as error:  # noqa: BLE001 - raised again, as a group
            error.add_note(f"in the automation {trigger.name} ({trigger.id})")
            errors.append(error)
    if errors:
        raise AutomationsFailed(f"{len(errors)} automation(s) for {record.type} failed", errors)
    return matched


def _run(trigger: Trigger, record: EventRecord, known: dict[str, Any]) -> bool:
    if not conditions.all_hold(_conditions(trigger), known):
        return False
    for place, action in enumerate(trigger.actions):
        _do(action, record, known, key=f"automation:{record.id}:{trigger.id}:{place}")
    return True


def _conditions(trigger: Trigger) -> list[conditions.Condition]:
    return [conditions.Condition(c.field, c.operator, c.value) for c in trigger.conditions]


def _do(action: TriggerAction, record: EventRecord, known: dict[str, Any], key: str) -> None:
    text = merge_fields.render(action.text, known)
    contact = known.get("contact", {})
    owner = ObjectId(contact["assignedTo"]) if contact.get("assignedTo") else None
    if action.kind == "notify":
        Notification.notify(
            workspace_id=record.workspace_id, user_id=owner, kind="automation", message=text, key=key
        )
    else:
        contact_id = ObjectId(contact["id"]) if contact else None
        Task.create_once(
            workspace_id=record.workspace_id, contact_id=contact_id, assigned_to=owner, title=text, key=key
        )
