"""Tell the rest of the system about stored mail: timeline entries, last-activity stamps, events.

Every step is safe to repeat; the messages count as announced only after all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from models import store
from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from publishers import emails, events, silence
from queues.enqueue import NewJob, enqueue_many
from queues.names import CRM_ACTIVITY_LOG
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
    enqueue_many([_timeline_job(entries) for entries in _by_contact(stored)])
    stamps: dict[ObjectId, datetime] = {}
    for message in stored:
        for contact in message.contact_ids:
            stamps[contact] = max(message.sent_at, stamps.get(contact, message.sent_at))
    Contact.touch_each(stamps)
    if Deal.touch(stamps):
        silence.ended_of({"contact_ids": {"$in": list(stamps)}}, store.now())
    _publish(account, stored)
    EmailMessage.mark_announced(message.id for message in stored)


def _by_contact(stored: Sequence[EmailMessage]) -> Iterable[list[dict[str, Any]]]:
    """Timeline entries. One contact's only stand together: when it is erased, its jobs go, too."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in stored:
        for entry in _entries(message):
            found.setdefault(entry["contact_id"], []).append(entry)
    return found.values()


def _timeline_job(entries: list[dict[str, Any]]) -> NewJob:
    """One insert for all of them. An entry is unique by its source, whatever the job that brings it."""
    sources = " ".join(entry["source"] for entry in entries)
    return NewJob(
        queue=CRM_ACTIVITY_LOG,
        func="consumers.activity.record_all",
        id=f"activities-{hashlib.sha256(sources.encode()).hexdigest()[:24]}",
        kwargs={"entries": entries},
        description=f"{len(entries)} timeline entries of mail",
        meta={"workspace_id": entries[0]["workspace_id"]},
    )


def _entries(message: EmailMessage) -> list[dict[str, Any]]:
    return [
        {
            "workspace_id": str(message.workspace_id),
            "contact_id": str(contact_id),
            "kind": f"email_{message.kind.replace('-', '_')}",
            "title": TITLES[Kind(message.kind)],
            "source": f"email:{message.id}:{contact_id}",
            "happened_at": message.sent_at.isoformat(),
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
