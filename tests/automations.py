"""What the tests of automations have in common: a workspace's automation, and an event that sets it off."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from models.contact import Contact
from models.trigger import Trigger, TriggerCondition
from models.workspace import Workspace
from publishers import events
from schemas.contact import ContactCreated

OWNER = ObjectId()
TASK = {"type": "create_task", "title": "Call {{contact.firstName|them}}"}


def automation(
    workspace: Workspace, *conditions: tuple[str, str, Any], actions: Any = (TASK,), **fields: Any
) -> Trigger:
    """A stored one; conditions are field, operator, value."""
    trigger = Trigger(
        workspace_id=workspace.id,
        conditions=[TriggerCondition(field=f, operator=o, value=v) for f, o, v in conditions],
        actions=list(actions),
        **{"name": "An automation", "event_type": "contact.created"} | fields,
    )
    return trigger.save()


def grace(workspace: Workspace, **fields: Any) -> Contact:
    """A contact that is known to the last field."""
    known = {"first_name": "Grace", "company": "Navy", "tags": ["vip"], "assigned_to": OWNER} | fields
    contact, _ = Contact.upsert(workspace.id, "grace@navy.test", known)
    contact.record_score(45, "C", [], 1)
    return contact.reload()


def created(contact: Contact, source: str = "form") -> str:
    """Publish that the contact is new; returns the event's id."""
    return events.publish(
        ContactCreated(
            workspace_id=str(contact.workspace_id),
            contact_id=str(contact.id),
            source=source,  # type: ignore[arg-type]
        )
    )
