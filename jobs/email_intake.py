"""Take fetched mail in: parse, thread, classify, store, announce. The same for every provider.

A batch costs a constant number of store commands. Every step is safe to repeat, and a message counts as
announced only after all of them, so a batch that died in the middle is made whole by the next sync.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from jobs import automation_mail, email_announce
from models import store
from models.contact import Contact
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.send_attempt import SendAttempt
from services.mail import message as mail
from services.mail import threads
from services.mail.classify import Kind, classify
from services.mail.imap import RawMessage
from services.mail.parse import content_key, parse

CANDIDATES = 1_000  # stored messages of the same threads, and of the same subjects, that a batch may join
# Copies of one message carry one date; programs that give all their mail one Message-ID do not.
SAME_DATE = timedelta(minutes=2)

Parsed = tuple[mail.EmailMessage, datetime]  # and when the server received it


def take_in(account: EmailAccount, fetched: Sequence[RawMessage]) -> int:
    """Store a batch of one mailbox; returns how many messages were new to the workspace."""
    if not fetched:
        return 0
    parsed = [(_parsed(raw), raw.received_at or store.now()) for raw in fetched]
    related = _related(account.workspace_id, parsed)
    parsed = _told_apart(parsed, related)
    own = EmailAccount.addresses_of(account.workspace_id)
    contacts = _contacts(account.workspace_id, (message for message, _ in parsed))
    documents = _documents(account.workspace_id, parsed, related, own, contacts)
    unannounced = EmailMessage.store(account.workspace_id, account.id, documents)
    _settle_attempts(account.workspace_id, unannounced)
    email_announce.announce(account, unannounced)
    return len(unannounced)


def _parsed(raw: RawMessage) -> mail.EmailMessage:
    return parse(raw.raw, size=raw.size, is_truncated=raw.is_truncated)


def _contacts(workspace_id: ObjectId, messages: Iterable[mail.EmailMessage]) -> dict[str, ObjectId]:
    """Contacts by e-mail, of everybody who wrote, got or missed one of the messages."""
    people = {person for message in messages for person in _people(message)}
    found = Contact.objects(workspace_id=workspace_id, email__in=list(people)).scalar("email", "id")
    return dict(found)


def _people(message: mail.EmailMessage) -> list[str]:
    """Whom it is about first: who could not be reached (for good before for now), else who wrote it."""
    failed = message.bounce.recipients if message.bounce else ()
    first = [r.email for r in sorted(failed, key=lambda r: not r.is_permanent)]
    sender = [message.from_.email] if message.from_ else []
    return list(dict.fromkeys([*first, *sender, *sorted(threads.participants(message))]))


def _related(workspace_id: ObjectId, parsed: Sequence[Parsed]) -> list[EmailMessage]:
    """Stored messages that the batch may repeat, answer or continue."""
    messages = [message for message, _ in parsed]
    return EmailMessage.related(
        workspace_id,
        keys={key for message in messages for key in (*threads.hints(message), message.dedupe_key)},
        subjects={threads.subject_key(message) for message in messages} - {""},
        limit=CANDIDATES,
    )


def _told_apart(parsed: Sequence[Parsed], related: Sequence[EmailMessage]) -> list[Parsed]:
    """Another message under the Message-ID of a known one goes by its contents, so that it is not hidden."""
    claims = {stored.dedupe_key: stored.claimed_at for stored in related}
    result = []
    for message, received_at in parsed:
        claim = claims.setdefault(message.dedupe_key, message.sent_at)
        if claim and message.sent_at and abs(claim - message.sent_at) > SAME_DATE:
            message = replace(message, dedupe_key=content_key(message))
        result.append((message, received_at))
    return result


def _documents(
    workspace_id: ObjectId,
    parsed: Sequence[Parsed],
    related: Sequence[EmailMessage],
    own: set[str],
    contacts: dict[str, ObjectId],
) -> list[dict[str, Any]]:
    known = [_stored(message) for message in related]
    documents = []
    for message, received_at in parsed:
        at = min(message.sent_at or received_at, store.now())  # a date in the future is a wrong clock
        thread = threads.resolve(message, known, at=at)
        known.append(_known(message, thread.key, at))
        document = _document(message, _kind(message, own), thread.key, at)
        document["contact_ids"] = [contacts[p] for p in _people(message) if p in contacts and p not in own]
        documents.append({"workspace_id": workspace_id, **document})
    return documents


def _settle_attempts(workspace_id: ObjectId, stored: Sequence[EmailMessage]) -> None:
    """Mail of ours whose sending ended in doubt was sent, if it turns up. First for those who wait for it."""
    sent = [message.message_id for message in stored if message.kind == Kind.OWN and message.message_id]
    if sent and (keys := SendAttempt.in_doubt(workspace_id, sent)):
        automation_mail.turned_up(keys)
        SendAttempt.settle_sent(workspace_id, sent)


def _kind(message: mail.EmailMessage, own: set[str]) -> Kind:
    """Our own automatic mail, found in Sent, is mail of ours, not somebody's automatic reply."""
    kind = classify(message, own)
    is_ours = message.from_ is not None and message.from_.email in own
    return Kind.OWN if is_ours and kind is Kind.AUTO_REPLY else kind


def _stored(m: EmailMessage) -> threads.Known:
    people = frozenset(m.participants)
    return threads.Known(
        m.thread_key, m.message_id, m.provider_thread_id, m.subject_key or "", people, m.sent_at
    )


def _known(message: mail.EmailMessage, thread_key: str, at: datetime) -> threads.Known:
    people = threads.participants(message)
    return threads.Known(thread_key, message.message_id, None, threads.subject_key(message), people, at)


def _document(message: mail.EmailMessage, kind: Kind, thread_key: str, at: datetime) -> dict[str, Any]:
    return {
        "dedupe_key": message.dedupe_key,
        "message_id": message.message_id,
        "thread_key": thread_key,
        "subject": message.subject,
        "subject_key": threads.subject_key(message),
        "participants": sorted(threads.participants(message)),
        "sender": message.from_.email if message.from_ else None,
        "recipients": sorted({address.email for address in (*message.to, *message.cc)}),
        "sent_at": at,
        "claimed_at": message.sent_at,
        "kind": kind.value,
        "answers": _answers(message),
        "failed_recipients": [
            {"email": failed.email, "is_permanent": failed.is_permanent}
            for failed in (message.bounce.recipients if message.bounce else ())
        ],
        "text": message.text,
        "reply_text": message.reply_text,
        "attachments": [
            {"name": a.name, "content_type": a.content_type, "size": a.size} for a in message.attachments
        ],
        "is_truncated": message.is_truncated,
        "problems": list(message.problems),
    }


def _answers(message: mail.EmailMessage) -> list[str]:
    if message.bounce:
        return [message.bounce.original_message_id] if message.bounce.original_message_id else []
    return list(threads.hints(message))
