"""Sync one mailbox: fetch what is new, store it, tell what it means, and deal with a mailbox that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId
from rq.timeouts import BaseTimeoutException

from jobs import email_announce, email_folder, mailbox_lock
from models import lease, store
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.fields import Undecipherable
from models.notification import Notification
from services import sentry
from services.mail import folders, imap
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxFolderMissing,
    MailboxMisconfigured,
    MailError,
)
from services.mail.settings import ImapSettings, Security

LEASE_SECONDS = 180.0  # far longer than one batch takes; renewed after each
OWNER_IS_TOLD_AFTER = 5  # failed syncs in a row: the last hour or so
# A message left in the middle is made whole at the next sync; this old, it would only be tried for ever.
LEFTOVERS_AGE = timedelta(days=1)
LEFTOVERS = 200  # messages per sync

log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How long one mailbox may take."""

    seconds: float  # then it stops after the batch at hand: there is more to come
    hang_up_after: float | None = None  # seconds after which its server is hung up on, amid whatever


PATIENT = Patience(240.0)  # a mailbox with more to fetch goes on at the next tick, as others wait


@dataclass
class SyncReport:
    """What one sync did."""

    account_id: str
    outcome: str = "synced"  # or "more to come", "locked", "unavailable", "busy", "not active", "not due"
    fetched: int = 0
    new: int = 0


def sync(account_id: str, tick: str | None = None, patience: Patience = PATIENT) -> SyncReport:
    """Store what is new in one mailbox and publish what it means.

    Who comes after the mailbox was synced, or paused, finds it not due any more at its `tick`.
    A mailbox that cannot be read is paused, for longer each time: that is an outcome, and no error. So is one
    that uses up the time of the job, whose exception goes on.
    Safe to run twice: messages are unique in their workspace, a lease keeps a second sync out, and the cursor
    moves after the store.
    """
    report = SyncReport(account_id)
    try:
        with lease.held(lease_of(account_id), LEASE_SECONDS) as held:
            account = EmailAccount.objects(id=ObjectId(account_id)).first()
            if account is None or account.status != "active":
                report.outcome = "not active"
            elif tick and account.next_sync_at > datetime.fromisoformat(tick):
                report.outcome = "not due"
            else:
                _sync(account, held, report, patience)
    except lease.LeaseTaken:
        report.outcome = "busy"
    return report


def lease_of(account_id: Any) -> str:
    """The name of the lease that a sync of the mailbox holds."""
    return f"mailbox-{account_id}"


def _sync(account: EmailAccount, held: lease.Held, report: SyncReport, patience: Patience) -> None:
    try:
        _read_folders(account, held, report, patience)
    except (MailboxAuthFailed, MailboxMisconfigured) as error:
        report.outcome = "locked"
        mailbox_lock.lock(account, str(error))
    except (MailError, email_folder.MessageFailed, Undecipherable) as error:
        report.outcome = "unavailable"
        _pause(account, error)
    except (
        BaseTimeoutException
    ) as error:  # the retry, and the mailboxes behind this one, shall not wait for it
        _pause(account, error)
        raise


def _read_folders(account: EmailAccount, held: lease.Held, report: SyncReport, patience: Patience) -> None:
    deadline = time.monotonic() + patience.seconds
    with imap.connect(_settings(account), hang_up_after=patience.hang_up_after) as mailbox:
        for folder in _in_order(account, mailbox):
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
