"""Mail for the tests of the mail jobs, and what a sync made of it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId

from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.event import EventRecord

SENT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
_ids = itertools.count()


def mail(
    subject: str = "Hello",
    *,
    sender: str = "grace@navy.test",
    to: str = "us@acme.test",
    message_id: str | None = None,
    headers: str = "",
    body: str = "Shall we talk?",
    date: datetime = SENT,
) -> bytes:
    message_id = message_id or f"m{next(_ids)}@navy.test"
    return (
        f"From: Grace <{sender}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{message_id}>\r\n"
        f"Date: {date:%a, %d %b %Y %H:%M:%S +0000}\r\n{headers}\r\n{body}\r\n"
    ).encode()


def bounce_of(message_id: str, recipient: str) -> bytes:
    return (
        "From: MAILER-DAEMON@navy.test\r\nTo: us@acme.test\r\nSubject: Undelivered\r\n"
        f"Message-ID: <dsn-{message_id}>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; navy.test\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message_id}>\r\n\r\n--b--\r\n"
    ).encode()


def outcome(workspace_id: ObjectId) -> dict[str, Any]:
    """Everything that syncs left in a workspace, with names in the place of ids."""
    names: dict[ObjectId, str] = {workspace_id: "Workspace"}
    messages = list(EmailMessage.objects(workspace_id=workspace_id))
    own = {"workspace_id": workspace_id}
    for document in [*EmailAccount.objects(**own), *Deal.objects(**own)]:
        names[document.id] = type(document).__name__
    names |= {contact.id: contact.email for contact in Contact.objects(workspace_id=workspace_id)}
    names |= {message.id: message.dedupe_key for message in messages}
    text = {str(key): name for key, name in names.items()}
    position = EmailAccount.objects.get(workspace_id=workspace_id)
    return {
        "messages": sorted(
            (
                m.dedupe_key,
                m.thread_key,
                m.kind,
                m.text,
                m.unannounced,
                [names[c] for c in m.contact_ids],
                [names[a] for a in m.account_ids],
            )
            for m in messages
        ),
        "events": sorted(
            (e.type, sorted((k, str(text.get(str(v), v))) for k, v in e.payload.items()))
            for e in EventRecord.objects(workspace_id=workspace_id)
        ),
        "timeline": sorted(
            (names[a.contact_id], a.kind, a.title, a.happened_at, text[a.details["messageId"]])
            for a in Activity.objects(workspace_id=workspace_id)
        ),
        "stamps": sorted((c.email, c.last_activity_at) for c in Contact.objects(workspace_id=workspace_id)),
        "deals": [d.last_activity_at for d in Deal.objects(workspace_id=workspace_id)],
        "read to": sorted((p.name, p.last_uid) for p in position.folders),
        "failures": (position.status, position.failures, position.failing_count, len(position.left_out)),
    }
