"""Reactions that concern sequences: who answers, leaves or cannot be reached gets no further step."""

from __future__ import annotations

from bson import ObjectId

from consumers import activity
from consumers.registry import Delivery, reacts_to
from models.contact import Contact
from models.enrolment import Enrolment
from models.sequence import Sequence
from publishers import sequences
from schemas.contact import ContactDeleted
from schemas.email import EmailBounced, EmailReplied, EmailUnsubscribed
from schemas.sequence import Outcome, SequenceCompleted

Ending = EmailReplied | EmailUnsubscribed | EmailBounced | ContactDeleted

OUTCOMES: dict[str, Outcome] = {
    EmailReplied.type: "replied",
    EmailUnsubscribed.type: "unsubscribed",
    EmailBounced.type: "bounced",
    ContactDeleted.type: "stopped",
}
TITLES = {
    "finished": "Is through with the sequence",
    "replied": "Answered: no further mail of the sequence",
    "unsubscribed": "Unsubscribed: no further mail of the sequence",
    "bounced": "Cannot be reached: no further mail of the sequence",
    "stopped": "Was taken out of the sequence",
}


@reacts_to(EmailReplied, EmailUnsubscribed, EmailBounced, ContactDeleted)
def stop_sequences(event: Ending, _delivery: Delivery) -> None:
    """Not for a temporary bounce. Safe to run twice: told before it is stopped, and an end has one event."""
    if event.contact_id is None or (isinstance(event, EmailBounced) and not event.is_permanent):
        return
    for enrolment in Enrolment.open_of(ObjectId(event.contact_id)):
        contact = Contact(id=enrolment.contact_id, workspace_id=enrolment.workspace_id)
        sequences.completed(
            contact, OUTCOMES[event.type], enrolment_id=enrolment.id, sequence_id=enrolment.sequence_id
        )
        enrolment.stop()


@reacts_to(SequenceCompleted)
def log_end(event: SequenceCompleted, delivery: Delivery) -> None:
    """Enter it in the contact's timeline. Safe to run twice: entered once."""
    sequence = Sequence.objects(id=ObjectId(event.sequence_id)).only("name").first()
    activity.log_later(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="sequence_completed",
        title=TITLES[event.outcome] + (f" {sequence.name}" if sequence else ""),
        details={"sequenceId": event.sequence_id, "outcome": event.outcome},
    )
