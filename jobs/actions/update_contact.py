"""Set fields and tags of the contact, and tell that they changed.

Safe to run twice and to die in: what is about to change is noted with the step first, the contact remembers
the step, and the event has the step's key. So what a person edits in between is not overwritten.
"""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from jobs.actions.step import Outcome, Step
from models.contact import Contact
from models.trigger_run import DONE, SKIPPED, TriggerRun
from publishers import events
from schemas.contact import ContactUpdated
from services.automation.actions import UpdateContact


def do(action: UpdateContact, step: Step) -> Outcome:
    contact = Contact.objects(id=step.contact_id, workspace_id=step.workspace_id).first()
    if contact is None:
        return Outcome(SKIPPED, "the contact was deleted")
    fields = action.changes()
    changed = list(step.run.steps[step.place].changed)
    if not changed:
        changed = contact.would_change(fields, action.add_tags, action.remove_tags)
        TriggerRun.note_change(step.run.id, step.place, changed)
    if not changed:
        return Outcome(DONE, "the contact is like that already")
    contact.change_once(step.key, fields, action.add_tags, action.remove_tags)
    names = [to_camel(name) for name in changed]
    _announce(step, names)
    return Outcome(DONE, f"changed {', '.join(names)}")


def _announce(step: Step, changed: list[str]) -> None:
    events.publish(
        ContactUpdated(workspace_id=str(step.workspace_id), contact_id=str(step.contact_id), changed=changed),
        correlation_id=step.run.correlation_id,
        causation_id=str(step.record.id),
        depth=step.run.depth + 1,
        key=f"contact.updated:{step.key}",
    )
