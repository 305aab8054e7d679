"""Tell the rest of the system about stored mail: timeline entries, last-activity stamps, events.

Every step is safe to repeat; the messages count as announced only after all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from publishers import events
from queues.enqueue import NewJob, enqueue_many
from queues.names import CRM_ACTIVITY_LOG
from schemas import email as email_events
from schemas.event import Event
from services.mail.classify import Kind

TITLES = {
    Kind.NEW: "E-mail received",
    Kind.REPLY: "Reply received",
    Kind.FORWARD: "Forwarded e-mail received",
    Kind.AUTO_REPLY: "Automatic reply received",
    Kind.BOUNCE: "E-mail bounced",
    Kind.OWN: "E-mail sent",
}


def announce(account: EmailAccount, stored: Sequence[EmailMessage]) -> None:
    """Announce stored messages. Raises `RedisError` when Redis is away; then nothing counts as announced."""
    if not stored:
        return
    enqueue_many([job for message in stored for job in _timeline_jobs(message)])
    stamps: dict[ObjectId, datetime] = {}
    for message in stored:
        for contact in message.contact_ids:
            stamps[contact] = max(message.sent_at, stamps.get(contact, message.sent_at))
    Contact.touch_each(stamps)
    Deal.touch(stamps)
    events.publish_all(_events(account, stored))
    EmailMessage.mark_announced(message.id for message in stored)


def _timeline_jobs(message: EmailMessage) -> list[NewJob]:
    return [
        NewJob(
            queue=CRM_ACTIVITY_LOG,
            func="consumers.activity.record",
            id=f"activity-{message.id}-{contact_id}",
            kwargs={
                "workspace_id": str(message.workspace_id),
                "contact_id": str(contact_id),
                "kind": f"email_{message.kind.replace('-', '_')}",
                "title": TITLES[Kind(message.kind)],
                "source": f"email:{message.id}:{contact_id}",
                "happened_at": message.sent_at.isoformat(),
                "details": {"messageId": str(message.id), "subject": message.subject},
            },
            description=f"timeline entry email_{message.kind}",
            meta={"workspace_id": str(message.workspace_id)},
        )
        for contact_id in message.contact_ids
    ]


def _events(account: EmailAccount, stored: Sequence[EmailMessage]) -> list[Event]:
    answered = {key for message in stored for key in message.answers}
    originals = EmailMessage.by_message_ids(account.workspace_id, answered) if answered else {}
    found = (_event(account, message, originals) for message in stored)
    return [event for event in found if event]


def _event(account: EmailAccount, stored: EmailMessage, originals: dict[str, ObjectId]) -> Event | None:
    """The event of one message; none for mail of our own."""
    original = next((str(originals[key]) for key in stored.answers if key in originals), None)
    common: dict[str, Any] = {
        "workspace_id": str(account.workspace_id),
        "message_id": str(stored.id),
        "account_id": str(account.id),
        "contact_id": str(stored.contact_ids[0]) if stored.contact_ids else None,
    }
    match Kind(stored.kind):
        case Kind.NEW | Kind.AUTO_REPLY:
            return email_events.EmailReceived(**common, kind=stored.kind)
        case Kind.REPLY:
            return email_events.EmailReplied(**common, in_reply_to=original)
        case Kind.FORWARD:
            return email_events.EmailForwarded(**common)
        case Kind.BOUNCE:
            return email_events.EmailBounced(
                **common,
                original=original,
                recipients=[failed["email"] for failed in stored.failed_recipients],
                is_permanent=any(failed["is_permanent"] for failed in stored.failed_recipients),
            )
        case _:
            return None
