"""Pull new mail from every mailbox that is due.

`run` only fans out, so a slow or broken mailbox never holds up the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId

from jobs import email_announce, email_folder, mailbox_lock
from models import store
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.fields import Undecipherable
from models.notification import Notification
from queues import lease
from queues.connection import redis
from queues.enqueue import NewJob, enqueue_many
from queues.names import EMAIL_SYNC
from services import sentry
from services.mail import folders, imap
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxFolderMissing,
    MailboxMisconfigured,
    MailError,
)
from services.mail.settings import ImapSettings, Security

DUE_LIMIT = 5_000  # mailboxes per tick; the rest is due again at the next one
LEASE_SECONDS = 180.0  # far longer than one batch takes; renewed before each
TIME_LIMIT = 240.0  # seconds; a mailbox with more to fetch goes on at the next tick, as others wait
OWNER_IS_TOLD_AFTER = 5  # failed syncs in a row: the last hour or so
# A message left in the middle is made whole at the next sync; this old, it would only be tried for ever.
LEFTOVERS_AGE = timedelta(days=1)
LEFTOVERS = 200  # messages per sync

log = structlog.get_logger()


@dataclass
class SyncReport:
    """What one sync did, as the job's result."""

    account_id: str
    outcome: str = "synced"  # or "more to come", "locked", "unavailable", "busy", "not active", "not due"
    fetched: int = 0
    new: int = 0


def run(tick: str) -> int:
    """Enqueue one `sync` per due mailbox; returns how many. Safe to run twice: a job per mailbox and tick."""
    due = EmailAccount.due(store.now(), limit=DUE_LIMIT)
    log.info(f"📧 Email sync started for {len(due)} accounts")
    return enqueue_many([_sync_job(account_id, workspace_id, tick) for account_id, workspace_id in due])


def _sync_job(account_id: ObjectId, workspace_id: ObjectId, tick: str) -> NewJob:
    return NewJob(
        queue=EMAIL_SYNC,
        func="jobs.email_sync.sync",
        id=f"mailbox-{account_id}-{datetime.fromisoformat(tick):%Y%m%dT%H%M%S}",
        kwargs={"account_id": str(account_id), "tick": tick},
        description=f"sync mailbox {account_id}",
        meta={"workspace_id": str(workspace_id)},
    )


def sync(account_id: str, tick: str | None = None) -> dict[str, Any]:
    """Store what is new in one mailbox and publish what it means; returns a `SyncReport` as a dict.

    A job that waited while the mailbox was synced, or paused, finds it not due any more at its `tick`.
    A mailbox that cannot be read is paused, for longer each time: no retry of the job, no dead letter.
    Safe to run twice: messages are unique in their workspace, a lease keeps a second sync out, and the cursor
    moves after the store.
    """
    report = SyncReport(account_id)
    try:
        with lease.held(redis(), f"mailbox-{account_id}", LEASE_SECONDS) as held:
            account = EmailAccount.objects(id=ObjectId(account_id)).first()
            if account is None or account.status != "active":
                report.outcome = "not active"
            elif tick and account.next_sync_at > datetime.fromisoformat(tick):
                report.outcome = "not due"
            else:
                _sync(account, held, report)
    except lease.LeaseTaken:
        report.outcome = "busy"
    return asdict(report)


def _sync(account: EmailAccount, held: lease.Lease, report: SyncReport) -> None:
    try:
        _read_folders(account, held, report)
    except (MailboxAuthFailed, MailboxMisconfigured) as error:
        report.outcome = "locked"
        mailbox_lock.lock(account, str(error))
    except (MailError, email_folder.MessageFailed, Undecipherable) as error:
        report.outcome = "unavailable"
        _pause(account, error)


def _read_folders(account: EmailAccount, held: lease.Lease, report: SyncReport) -> None:
    deadline = time.monotonic() + TIME_LIMIT
    with imap.connect(_settings(account)) as mailbox:
        for folder in _in_order(account, mailbox):
            held.renew()
            for batch in _batches(account, mailbox, folder):
                report.fetched += batch.fetched
                report.new += batch.new
                held.renew()
                if time.monotonic() > deadline:
                    report.outcome = "more to come"
                    log.info(f"📧 {report.new} new emails, more to come", account_id=report.account_id)
                    return
    _announce_leftovers(account)
    account.mark_synced(store.now())
    log.info(f"✅ Synced {report.new} new emails", account_id=report.account_id, fetched=report.fetched)


def _in_order(account: EmailAccount, mailbox: imap.Mailbox) -> list[str]:
    """Sent first, so that answers and bounces find the mail that they are about; a broken folder last."""
    found = mailbox.folders()
    names = [folder for folder in (found.sent, found.inbox) if folder]
    return sorted(names, key=account.is_failing_in)


def _batches(account: EmailAccount, mailbox: imap.Mailbox, folder: str) -> Iterator[email_folder.Batch]:
    """A folder that vanished between list and read is found again, or not, by the next sync."""
    try:
        yield from email_folder.read(account, mailbox, folder)
    except MailboxFolderMissing as error:
        if folder == folders.INBOX:
            raise
        log.warning("⚠️  folder skipped", account_id=str(account.id), folder=folder, reason=str(error))


def _announce_leftovers(account: EmailAccount) -> None:
    """What was stored by a sync that died before it told of it, and is no longer where it would be found."""
    since = store.now() - LEFTOVERS_AGE
    try:
        email_announce.announce(account, EmailMessage.unannounced_of(account.id, since, LEFTOVERS))
    except email_folder.ITS_FAULT as error:
        sentry.capture(error, **email_folder.tags(account))
        log.error("❌ messages cannot be announced", account_id=str(account.id), error=type(error).__name__)


def _settings(account: EmailAccount) -> ImapSettings:
    server = account.imap
    return ImapSettings(server.host, server.port, server.username, server.password, Security(server.security))


def _pause(account: EmailAccount, error: Exception) -> None:
    """Leave it alone for a while, and tell its owner when it stays that way."""
    is_one_message = isinstance(error, email_folder.MessageFailed) or bool(getattr(error, "uids", ()))
    account.pause(store.now(), str(error), grows=not is_one_message)
    log.warning("⏸️  mailbox paused", account_id=str(account.id), failures=account.failures, reason=str(error))
    if account.failures < OWNER_IS_TOLD_AFTER:
        return
    Notification.notify(
        workspace_id=account.workspace_id,
        user_id=account.user_id,
        kind="mailbox_unavailable",
        message=f"{account.address} has not been synced for a while: {error}",
        key=f"mailbox-unavailable:{account.id}:{account.synced_at}",
    )
