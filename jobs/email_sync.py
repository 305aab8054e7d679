"""Pull new mail from every mailbox that is due.

`run` only fans out, so a slow or broken mailbox never holds up the others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from bson import ObjectId

from jobs import email_intake, mailbox_lock
from models import store
from models.email_account import EmailAccount, FolderPosition
from models.notification import Notification
from queues import lease
from queues.connection import redis
from queues.enqueue import NewJob, enqueue_many
from queues.names import EMAIL_SYNC
from services.mail import imap
from services.mail.cursor import FolderCursor
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxMisconfigured,
    MailboxUnavailable,
)
from services.mail.settings import ImapSettings, Security

DUE_LIMIT = 5_000  # mailboxes per tick; the rest is due again at the next one
BATCH = 50  # messages that are stored before the cursor moves
LEASE_SECONDS = 180.0  # far longer than one batch takes; renewed before each

log = structlog.get_logger()


@dataclass
class SyncReport:
    """What one sync did, as the job's result."""

    account_id: str
    outcome: str = "synced"  # or "locked", "busy", "not active"
    fetched: int = 0
    new: int = 0


def run(tick: str) -> int:
    """Enqueue one `sync` per due mailbox; returns how many. Safe to run twice: a job per mailbox and tick."""
    due = EmailAccount.due(store.now(), limit=DUE_LIMIT)
    log.info(f"📧 Email sync started for {len(due)} accounts")
    return enqueue_many([_sync_job(account_id, datetime.fromisoformat(tick)) for account_id in due])


def _sync_job(account_id: ObjectId, tick: datetime) -> NewJob:
    return NewJob(
        queue=EMAIL_SYNC,
        func="jobs.email_sync.sync",
        id=f"mailbox-{account_id}-{tick:%Y%m%dT%H%M%S}",
        kwargs={"account_id": str(account_id)},
        description=f"sync mailbox {account_id}",
    )


def sync(account_id: str) -> dict[str, Any]:
    """Store what is new in one mailbox and publish what it means; returns a `SyncReport` as a dict.

    Safe to run twice: messages are unique in their workspace, a lease keeps a second sync out, and the cursor
    moves after the store. Raises `MailboxUnavailable` to be tried again.
    """
    report = SyncReport(account_id)
    account = EmailAccount.objects(id=ObjectId(account_id)).first()
    if account is None or account.status != "active":
        report.outcome = "not active"
        return asdict(report)
    try:
        with lease.held(redis(), f"mailbox-{account_id}", LEASE_SECONDS) as held:
            _sync_leased(account, held, report)
    except lease.LeaseTaken:
        report.outcome = "busy"
    except (MailboxAuthFailed, MailboxMisconfigured) as error:
        report.outcome = "locked"
        mailbox_lock.lock(account, str(error))
    except MailboxUnavailable as error:
        account.mark_unavailable(store.now(), str(error))
        raise
    return asdict(report)


def _sync_leased(account: EmailAccount, held: lease.Lease, report: SyncReport) -> None:
    with imap.connect(_settings(account)) as mailbox:
        folders = mailbox.folders()
        for folder in (folders.inbox, folders.sent):
            if folder:
                _sync_folder(account, mailbox, folder, held, report)
    account.mark_synced(store.now())
    log.info(f"✅ Synced {report.new} new emails", account_id=report.account_id, fetched=report.fetched)


def _sync_folder(
    account: EmailAccount, mailbox: imap.Mailbox, folder: str, held: lease.Lease, report: SyncReport
) -> None:
    """Batch by batch: fetch, store, then move the cursor."""
    has_more = True
    while has_more:
        held.renew()
        fetched = _fetch(account, mailbox, folder)
        report.fetched += len(fetched.messages)
        report.new += email_intake.take_in(account, fetched.messages)
        if not account.advance(_position(folder, fetched.cursor)):
            raise lease.LeaseLost(f"the position of {folder!r} was moved by another sync")
        has_more = fetched.has_more


def _fetch(account: EmailAccount, mailbox: imap.Mailbox, folder: str) -> imap.Fetched:
    """The next batch; one message at a time after a fetch that broke, so that the culprit is known."""
    position = account.position(folder)
    validity = position.uid_validity if position else 0
    is_careful = account.failing_count and account.failing_folder == folder
    try:
        return mailbox.fetch_since(
            folder,
            _cursor(position) if position else None,
            limit=1 if is_careful else BATCH,
            now=store.now(),
            skip=account.left_out(folder, validity),
        )
    except MailboxUnavailable as error:
        if error.uids and account.note_failed_fetch(folder, validity, error.uids[0]):
            _tell_of_poison(account, folder, validity, error.uids[0])
        raise


def _cursor(position: FolderPosition) -> FolderCursor:
    return FolderCursor(position.uid_validity, position.last_uid, position.mod_seq)


def _position(folder: str, cursor: FolderCursor) -> FolderPosition:
    return FolderPosition(
        name=folder, uid_validity=cursor.uid_validity, last_uid=cursor.last_uid, mod_seq=cursor.mod_seq
    )


def _settings(account: EmailAccount) -> ImapSettings:
    server = account.imap
    return ImapSettings(server.host, server.port, server.username, server.password, Security(server.security))


def _tell_of_poison(account: EmailAccount, folder: str, validity: int, uid: int) -> None:
    log.error("☠️  message left out", account_id=str(account.id), folder=folder, uid=uid)
    Notification.notify(
        workspace_id=account.workspace_id,
        user_id=account.user_id,
        kind="message_left_out",
        message=f"A message in {folder} of {account.address} cannot be read and is left out (UID {uid})",
        key=f"message-left-out:{account.id}:{folder}:{validity}:{uid}",
    )
