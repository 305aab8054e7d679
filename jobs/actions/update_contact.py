"""Set fields and tags of the contact, and tell that they changed.

Safe to run twice and to die in: what is about to change is noted with the step first, the contact remembers
the step, and the event has the step's key. So what a person edits in between is not overwritten.
"""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pydantic.alias_generators import to_camel

from jobs.actions import members
from jobs.actions.step import Outcome, Step
from models.contact import Contact
from models.event import EventRecord
from models.trigger_run import DONE, SKIPPED, TriggerRun
from publishers import events
from schemas.contact import ContactLifecycleChanged, ContactOwnerAssigned, ContactUpdated
from services.automation.actions import UpdateContact


def do(action: UpdateContact, step: Step) -> Outcome:
    """Raises `NoMember`."""
    contact = Contact.objects(id=step.contact_id, workspace_id=step.workspace_id).first()
    if contact is None:
        return Outcome(SKIPPED, "the contact was deleted")
    fields = action.changes()
    if action.fields.assigned_to:
        fields["assigned_to"] = ObjectId(action.fields.assigned_to)
    changed = list(step.run.steps[step.place].changed)
    if not changed:
        members.check(step.workspace_id, action.fields.assigned_to)
        would = contact.would_change(fields, action.add_tags, action.remove_tags)
        changed = TriggerRun.note_change(step.run.id, step.place, would)
    if not changed:
        return Outcome(DONE, "the contact is like that already")
    contact.change_once(step.key, fields, action.add_tags, action.remove_tags)
    names = [to_camel(name) for name in changed]
    _announce(step, fields, names)
    return Outcome(DONE, f"changed {', '.join(names)}")


def obstacle(action: UpdateContact, record: EventRecord, _facts: dict[str, Any]) -> str | None:
    """Whoever is named may have left."""
    return members.obstacle(record.workspace_id, action.fields.assigned_to)


def _announce(step: Step, fields: dict[str, Any], changed: list[str]) -> None:
    ids = {"workspace_id": str(step.workspace_id), "contact_id": str(step.contact_id)}
    events.publish(ContactUpdated(**ids, changed=changed), **step.caused, key=f"contact.updated:{step.key}")
    if "lifecycleStage" in changed:
        stage = fields["lifecycle_stage"]
        events.publish(ContactLifecycleChanged(**ids, stage=stage, occasion=step.key), **step.caused)
    if "assignedTo" in changed:
        owner = str(fields["assigned_to"])
        events.publish(
            ContactOwnerAssigned(**ids, owner_id=owner, method="automation", occasion=step.key), **step.caused
        )
