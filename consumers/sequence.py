"""Reactions that concern sequences: who answers, leaves or cannot be reached gets no further step.

Who is out of office gets none until the enrolment is resumed. Mail from before the enrolment, as the first
sync of a mailbox brings it, concerns no sequence.
"""

from __future__ import annotations

from datetime import timedelta

from bson import ObjectId

from consumers import activity, named
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.contact import Contact
from models.email_message import EmailMessage
from models.enrolment import Enrolment
from models.sequence import Sequence
from publishers import sequences
from schemas.contact import ContactDeleted
from schemas.email import EmailBounced, EmailEvent, EmailReceived, EmailReplied, EmailUnsubscribed
from schemas.sequence import Outcome, SequenceCompleted

Ending = EmailReplied | EmailUnsubscribed | EmailBounced | ContactDeleted

SLOW_CLOCK = timedelta(days=1)  # by which a sender's may be behind

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
    if isinstance(event, EmailBounced) and not event.is_permanent:
        return
    for enrolment in _concerned(event):
        contact = Contact(id=enrolment.contact_id, workspace_id=enrolment.workspace_id)
        sequences.completed(
            contact, OUTCOMES[event.type], enrolment_id=enrolment.id, sequence_id=enrolment.sequence_id
        )
        enrolment.stop()


@reacts_to(EmailReceived)
def pause_sequences(event: EmailReceived, delivery: Delivery) -> None:
    """For an automatic reply. Safe to run twice: told before it is paused, and entered once.

    Entered here, not by a job: afterwards nobody could tell any more which ones it paused.
    """
    if event.kind != "auto-reply":
        return
    concerned = [enrolment for enrolment in _concerned(event) if enrolment.paused_at is None]
    if concerned:
        ids = [enrolment.sequence_id for enrolment in concerned]
        names = ", ".join(Sequence.objects(id__in=ids).order_by("name").scalar("name"))
        told = activity.entry(
            delivery,
            workspace_id=event.workspace_id,
            contact_id=event.contact_id,
            kind="sequence_paused",
            title=f"Automatic reply: paused in the sequence {names}".rstrip(),
            details={"messageId": event.message_id},
        )
        activity.record(**told)
    for enrolment in concerned:
        enrolment.pause(delivery.accepted_at)


def _concerned(event: Ending | EmailReceived) -> list[Enrolment]:
    """The contact's open enrolments, but those that are younger than the mail."""
    if event.contact_id is None:
        return []
    found = Enrolment.open_of(ObjectId(event.workspace_id), ObjectId(event.contact_id))
    if not (found and isinstance(event, EmailEvent)):
        return found
    message = named.find(EmailMessage, event, event.message_id, "sent_at")
    return [one for one in found if message is None or one.enrolled_at < message.sent_at + SLOW_CLOCK]


@reacts_to(SequenceCompleted)
@hands_on
def log_end(event: SequenceCompleted, delivery: Delivery) -> Jobs:
    """Enter it in the contact's timeline. Safe to run twice: entered once."""
    sequence = named.find(Sequence, event, event.sequence_id, "name")
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="sequence_completed",
        title=TITLES[event.outcome] + (f" {sequence.name}" if sequence else ""),
        details={"sequenceId": event.sequence_id, "outcome": event.outcome},
    )
