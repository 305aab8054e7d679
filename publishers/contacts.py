"""What happens to a contact. Safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bson import ObjectId

from models.contact import Contact
from publishers.events import announce
from schemas import contact as schema


def created(contact: Contact, *, source: schema.Source) -> None:
    announce(schema.ContactCreated(**_of(contact), source=source))


def updated(contact: Contact, *, changed: Sequence[str]) -> None:
    """`changed`: names of the fields in camelCase. Each change has its moment, so a repeated one is known."""
    event = schema.ContactUpdated(**_of(contact), changed=list(changed))
    moment = contact.updated_at.isoformat()
    announce(event, key=f"{event.type}:{contact.id}:{moment}:{','.join(sorted(changed))}")


def deleted(contact: Contact, *, reason: Literal["manual", "merged", "erased"] = "manual") -> None:
    announce(schema.ContactDeleted(**_of(contact), reason=reason))


def recycled(contact: Contact, *, lost_at: datetime, enrolment_id: ObjectId | None = None) -> None:
    enrolment = str(enrolment_id) if enrolment_id else None
    announce(schema.ContactRecycled(**_of(contact), lost_at=lost_at, enrolment_id=enrolment))


def score_changed(
    contact: Contact, score: int, grade: schema.Grade, *, previous: schema.Grade | None, occasion: str
) -> None:
    """Of the lead score, when it reaches another grade."""
    announce(
        schema.ContactScoreChanged(
            **_of(contact), score=score, grade=grade, previous_grade=previous, occasion=occasion
        )
    )


def owner_assigned(
    contact: Contact,
    owner_id: ObjectId,
    *,
    method: Literal["manual", "round_robin", "automation"],
    occasion: str,
    previous: ObjectId | None = None,
) -> None:
    announce(
        schema.ContactOwnerAssigned(
            **_of(contact),
            owner_id=str(owner_id),
            previous_owner_id=str(previous) if previous else None,
            method=method,
            occasion=occasion,
        )
    )


def _of(contact: Contact) -> dict[str, str]:
    return {"workspace_id": str(contact.workspace_id), "contact_id": str(contact.id)}
