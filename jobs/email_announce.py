"""Tell the rest of the system about stored mail: timeline entries, last-activity stamps, events.

Every step is safe to repeat; the messages count as announced only after all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from models import store
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from publishers import emails, events, silence
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
    """Announce stored messages. The entries are written here: Redis might lose a job that was to do it."""
    if not stored:
        return
    if entries := [entry for message in stored for entry in _entries(message)]:
        Activity.record_all(entries)
    stamps: dict[ObjectId, datetime] = {}
    for message in stored:
        for contact in message.contact_ids:
            stamps[contact] = max(message.sent_at, stamps.get(contact, message.sent_at))
    Contact.touch(account.workspace_id, stamps)
    if Deal.touch(account.workspace_id, stamps):
        theirs = {"contact_ids": {"$in": list(stamps)}, "workspace_id": account.workspace_id}
        silence.ended_of(theirs, store.now())
    _publish(account, stored)
    EmailMessage.mark_announced(message.id for message in stored)


def _entries(message: EmailMessage) -> list[dict[str, Any]]:
    """Of the timelines of its contacts."""
    return [
        {
            "workspace_id": message.workspace_id,
            "contact_id": contact_id,
            "kind": f"email_{message.kind.replace('-', '_')}",
            "title": TITLES[Kind(message.kind)],
            "source": f"email:{message.id}:{contact_id}",
            "happened_at": message.sent_at,
            "details": {"messageId": str(message.id), "subject": message.subject},
        }
        for contact_id in message.contact_ids
    ]


def _publish(account: EmailAccount, stored: Sequence[EmailMessage]) -> None:
    answered = {key for message in stored for key in message.answers}
    originals = EmailMessage.by_message_ids(account.workspace_id, answered) if answered else {}
    with events.batch():
        for message in stored:
            original = next((originals[key] for key in message.answers if key in originals), None)
            _tell(account, message, original)


def _tell(account: EmailAccount, message: EmailMessage, original: ObjectId | None) -> None:
    """The event of one message; none for mail of our own."""
    match Kind(message.kind):
        case Kind.NEW | Kind.AUTO_REPLY:
            emails.received(message, account)
        case Kind.REPLY:
            emails.replied(message, account, in_reply_to=original)
        case Kind.FORWARD:
            emails.forwarded(message, account)
        case Kind.BOUNCE:
            emails.bounced(message, account, original=original)
