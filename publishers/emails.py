"""What happens with mail: what mailboxes receive, and what people do with what we sent. Safe to repeat."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from bson import ObjectId

from models.contact import Contact
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.send_attempt import SendAttempt
from publishers.events import announce
from schemas import email as schema


def received(message: EmailMessage, account: EmailAccount) -> None:
    """A new mail or an automatic reply."""
    announce(schema.EmailReceived(**_of(message, account), kind=message.kind))


def replied(message: EmailMessage, account: EmailAccount, *, in_reply_to: ObjectId | None) -> None:
    """`in_reply_to`: our stored message that it answers."""
    announce(schema.EmailReplied(**_of(message, account), in_reply_to=_text(in_reply_to)))


def forwarded(message: EmailMessage, account: EmailAccount) -> None:
    announce(schema.EmailForwarded(**_of(message, account)))


def bounced(message: EmailMessage, account: EmailAccount, *, original: ObjectId | None) -> None:
    """`original`: our stored message that came back."""
    failed = message.failed_recipients
    lost = [one for one in failed if one["is_permanent"]]
    announce(
        schema.EmailBounced(
            **_of(message, account),
            original=_text(original),
            recipients=[one["email"] for one in lost or failed],
            is_permanent=bool(lost),
        )
    )


def opened(attempt: SendAttempt, *, hit_id: ObjectId, at: datetime, is_machine: bool = False) -> None:
    """`hit_id`: the stored open, or the attempt's own id where only the first one counts."""
    announce(schema.EmailOpened(**_sent(attempt, hit_id), opened_at=at, is_machine=is_machine))


def clicked(
    attempt: SendAttempt, *, hit_id: ObjectId, url: str, at: datetime, is_machine: bool = False
) -> None:
    announce(schema.EmailClicked(**_sent(attempt, hit_id), url=url, clicked_at=at, is_machine=is_machine))


def unsubscribed(
    contact: Contact,
    *,
    method: Literal["one_click", "page", "reply", "manual"],
    at: datetime,
    attempt_id: ObjectId | None = None,
) -> None:
    """`attempt_id`: the mail by which they did it."""
    announce(
        schema.EmailUnsubscribed(
            workspace_id=str(contact.workspace_id),
            contact_id=str(contact.id),
            method=method,
            unsubscribed_at=at,
            attempt_id=_text(attempt_id),
        )
    )


def _of(message: EmailMessage, account: EmailAccount) -> dict[str, Any]:
    return {
        "workspace_id": str(message.workspace_id),
        "message_id": str(message.id),
        "account_id": str(account.id),
        "contact_id": _text(message.contact_ids[0]) if message.contact_ids else None,
    }


def _sent(attempt: SendAttempt, hit_id: ObjectId) -> dict[str, str]:
    return {
        "workspace_id": str(attempt.workspace_id),
        "attempt_id": str(attempt.id),
        "contact_id": str(attempt.contact_id),
        "hit_id": str(hit_id),
    }


def _text(value: ObjectId | None) -> str | None:
    return str(value) if value else None
