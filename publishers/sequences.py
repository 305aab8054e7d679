"""What happens to an enrolment in a sequence. Safe to repeat."""

from __future__ import annotations

from bson import ObjectId

from models.contact import Contact
from publishers.events import announce
from schemas.sequence import Outcome, SequenceCompleted


def completed(contact: Contact, outcome: Outcome, *, enrolment_id: ObjectId, sequence_id: ObjectId) -> None:
    announce(
        SequenceCompleted(
            workspace_id=str(contact.workspace_id),
            contact_id=str(contact.id),
            enrolment_id=str(enrolment_id),
            sequence_id=str(sequence_id),
            outcome=outcome,
        )
    )
