"""Read what is new in one folder of a mailbox, batch by batch: fetch, store, then move the cursor.

A message that breaks its batch is found by taking the messages one at a time. Tried at three syncs in vain,
it is left out and its owner is told, so that it holds up the rest no longer.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

import structlog
from bson.errors import BSONError

from jobs import email_intake
from models import lease, store
from models.email_account import EmailAccount, FolderPosition, MessagePlace
from models.notification import Notification
from queues.names import EMAIL_SYNC
from services import sentry
from services.mail import imap
from services.mail.cursor import FolderCursor
from services.mail.decode import MALFORMED
from services.mail.errors import MailboxCursorInvalid, MailboxUnavailable

BATCH = 50  # messages that are stored before the cursor moves

# What the contents of a message can cause; an absent Redis or store is not among it.
ITS_FAULT = (*MALFORMED, BSONError)

log = structlog.get_logger()


class MessageFailed(Exception):
    """A message could not be taken in: it is tried again at the next sync, then left out."""


@dataclass(frozen=True)
class Batch:
    fetched: int
    new: int


def read(account: EmailAccount, mailbox: imap.Mailbox, folder: str) -> Iterator[Batch]:
    """Take in batch after batch until nothing is left; the caller may stop after each.

    Raises `MailboxUnavailable`, `MessageFailed`, or `LeaseLost` when another sync moved the position.
    """
    singles = BATCH if account.is_failing_in(folder) else 0  # messages to take one at a time
    has_more = True
    while has_more:
        fetched = _fetch(account, mailbox, folder, limit=1 if singles else BATCH)
        try:
            new = email_intake.take_in(account, fetched.messages)
        except ITS_FAULT as error:
            if len(fetched.messages) == 1:
                _note_failure(account, folder, fetched, error)
            singles = BATCH
            continue
        if not account.advance(_position(folder, fetched.cursor)):
            raise lease.LeaseLost(f"the position of {folder!r} was moved by another sync")
        singles = max(0, singles - 1)
        has_more = fetched.has_more
        yield Batch(len(fetched.messages), new)


def _fetch(account: EmailAccount, mailbox: imap.Mailbox, folder: str, limit: int) -> imap.Fetched:
    try:
        return mailbox.fetch_since(
            folder, _cursor(account, folder), limit, now=store.now(), skip=account.left_out_of(folder)
        )
    except MailboxUnavailable as error:
        if error.uids:
            _count(account, MessagePlace(folder=folder, uid_validity=error.uid_validity, uid=error.uids[0]))
        raise


def _cursor(account: EmailAccount, folder: str) -> FolderCursor | None:
    """Where to go on; None, to read anew, also for a position that makes no sense."""
    position = account.position(folder)
    if position is None:
        return None
    try:
        return FolderCursor(position.uid_validity, position.last_uid, position.mod_seq)
    except MailboxCursorInvalid as error:
        log.warning("⚠️  folder is read anew", account_id=str(account.id), folder=folder, reason=str(error))
        account.forget_position(folder)
        return None


def _position(folder: str, cursor: FolderCursor) -> FolderPosition:
    return FolderPosition(
        name=folder, uid_validity=cursor.uid_validity, last_uid=cursor.last_uid, mod_seq=cursor.mod_seq
    )


def _note_failure(account: EmailAccount, folder: str, fetched: imap.Fetched, error: Exception) -> None:
    """Report what one message did. Raises `MessageFailed` unless it is left out from now on."""
    uid = fetched.messages[0].uid
    place = MessagePlace(folder=folder, uid_validity=fetched.cursor.uid_validity, uid=uid)
    error.args = ()  # its words may quote the message
    sentry.capture(error, **tags(account))
    if not _count(account, place):
        raise MessageFailed(
            f"a message in {folder} could not be taken in (UID {uid}: {_where(error)}); it is tried again, "
            "then left out"
        ) from error


def tags(account: EmailAccount) -> dict[str, str]:
    """What a report of a mishap is told by."""
    return {"queue": EMAIL_SYNC, "job": "jobs.email_sync.sync", "workspace": str(account.workspace_id)}


def _where(error: Exception) -> str:
    """Like "ValueError in parse.py, line 7"; what it says may quote the message, and is for nobody's log."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {PurePath(last.filename).name}, line {last.lineno}"


def _count(account: EmailAccount, place: MessagePlace) -> bool:
    """Count a failure; whether the message is left out from now on, of which its owner is told."""
    if not account.note_failure(place):
        return False
    log.error("☠️  message left out", account_id=str(account.id), folder=place.folder, uid=place.uid)
    Notification.notify(
        workspace_id=account.workspace_id,
        user_id=account.user_id,
        kind="message_left_out",
        message=(
            f"A message in {place.folder} of {account.address} cannot be read: it is left out "
            f"(UID {place.uid})"
        ),
        key=f"message-left-out:{account.id}:{place.folder}:{place.uid_validity}:{place.uid}",
    )
    return True
