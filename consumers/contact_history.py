"""Reactions to what becomes of a contact: its timeline tells, its owner learns of it, plans are dropped."""

from __future__ import annotations

from bson import ObjectId

from consumers import activity, named, notices
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.contact import Contact
from models.task import Task
from models.workspace import Workspace
from schemas.contact import (
    ContactDeleted,
    ContactLifecycleChanged,
    ContactOwnerAssigned,
    ContactRecycled,
    ContactScoreChanged,
)

DETAILS = {"stage", "previous_stage", "owner_id", "previous_owner_id", "score", "grade", "previous_grade"}
STAGES = {"mql": "marketing qualified lead", "sql": "sales qualified lead"}  # others are what they say

Change = ContactLifecycleChanged | ContactOwnerAssigned | ContactRecycled | ContactScoreChanged


@reacts_to(ContactLifecycleChanged, ContactOwnerAssigned, ContactRecycled, ContactScoreChanged)
@hands_on
def log_change(event: Change, delivery: Delivery) -> Jobs:
    """Not its very first grade: that tells nothing new. Safe to run twice: entered once."""
    if isinstance(event, ContactScoreChanged) and not event.previous_grade:
        return []
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind=event.type.replace("contact.", "contact_"),
        title=_title(event),
        details=event.model_dump(by_alias=True, include=DETAILS, mode="json"),
    )


def _title(event: Change) -> str:
    match event:
        case ContactLifecycleChanged():
            return f"Became {STAGES.get(event.stage, event.stage)}"
        case ContactScoreChanged():
            return f"Lead grade {event.previous_grade} → {event.grade}"
        case ContactOwnerAssigned():
            return f"Assigned to {_name(event)}"
        case ContactRecycled():
            return "Showed interest again: worked once more"


def _name(event: ContactOwnerAssigned) -> str:
    workspace = Workspace.objects(id=ObjectId(event.workspace_id)).only("members").first()
    member = workspace.member(ObjectId(event.owner_id)) if workspace else None
    return member.name if member else "somebody who has left"


@reacts_to(ContactOwnerAssigned)
def tell_owner(event: ContactOwnerAssigned, delivery: Delivery) -> None:
    """Not of imported ones, which come by the thousand. Safe to run twice: told once."""
    contact = named.find(Contact, event, event.contact_id)
    if contact is None or contact.source == "import":
        return
    message = f"{contact.full_name} is yours now"
    notices.tell_named(event, delivery, event.owner_id, kind="contact_assigned", message=message)


@reacts_to(ContactDeleted)
def cancel_tasks(event: ContactDeleted, _delivery: Delivery) -> None:
    """Safe to run twice: what is done or cancelled stays so."""
    Task.cancel_of(ObjectId(event.workspace_id), ObjectId(event.contact_id))
