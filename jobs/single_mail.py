"""Send one mail to one contact, once.

The attempt is stored before the mail is sent. Only the worker that stored it sends, and says what became of
it. When that one dies in between, nobody knows whether the server took the mail, so it is never sent again:
once no worker can be at it any more, its outcome is `unknown`, until the mail turns up in Sent.
"""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage as OutgoingMessage

import structlog
from bson import ObjectId

from jobs import mailbox_lock
from models import store
from models.contact import Contact
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.send_attempt import SendAttempt
from models.suppression import Suppression
from services.mail import bounce, smtp
from services.mail.compose import compose
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxMisconfigured,
    MailboxUnavailable,
    MessageRefused,
    RecipientRefused,
    SenderRefused,
    SendOutcomeUnknown,
)
from services.mail.message import Address
from services.mail.settings import Security, SmtpSettings

LONGEST_TRY = timedelta(minutes=10)  # no queue that sends mail lets a job run for longer

log = structlog.get_logger()


class StillSending(Exception):
    """Another worker has this very mail in hand, or died with it: look again when it must have ended."""

    def __init__(self, left: timedelta):
        self.retry_after = left.total_seconds()
        super().__init__(f"another worker is sending this mail, or died: looked at again in {left.seconds} s")


class CannotSend(Exception):
    """A mail is set up in a way that nothing can be sent; the message says how."""

    permanent = True


def sender(account_id: ObjectId, workspace_id: ObjectId, what: str) -> EmailAccount:
    """The mailbox, ready to send. Raises `CannotSend`, which names what wanted to."""
    account = EmailAccount.objects(id=account_id, workspace_id=workspace_id).first()
    if account is None or account.smtp is None:
        raise CannotSend(f"the mailbox of the {what} is gone or has no SMTP server: choose another")
    if account.status != "active":
        raise CannotSend(f"the mailbox {account.address} is {account.status}: mend it, then requeue this job")
    found: EmailAccount = account
    return found


def send_once(
    *, key: str, name: str, account: EmailAccount, contact: Contact, subject: str, text: str
) -> str:
    """Send it unless there was an attempt of this key; returns what became of it: sent, refused, unknown,
    or unsubscribed or unreachable, when the address is suppressed.

    `name` is the unique part of its Message-ID. Raises `MailboxUnavailable` to be tried again, when the
    server certainly took nothing; `StillSending`, to be tried again when that has ended; the mailbox's own
    errors after locking it. Safe to run twice, and at the same time.
    """
    message_id = f"{name}@{account.address.rpartition('@')[2]}"
    message = _message(account, contact, subject, text, message_id)
    suppressed = Suppression.of(account.workspace_id, contact.email)
    attempt = SendAttempt.begin(
        key,
        workspace_id=account.workspace_id,
        contact_id=contact.id,
        account_id=account.id,
        message_id=message_id,
        **({"status": suppressed.reason, "ended_at": store.now()} if suppressed else {}),
    )
    if attempt is None:
        return _reconcile(SendAttempt.of(key))
    return str(suppressed.reason) if suppressed else _make(attempt, account, message)


def _message(
    account: EmailAccount, contact: Contact, subject: str, text: str, message_id: str
) -> OutgoingMessage:
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return compose(
        sender=Address("", account.address),
        to=Address(name, contact.email),
        subject=subject,
        text=text,
        message_id=message_id,
        date=store.now(),
        is_automatic=True,
    )


def _reconcile(attempt: SendAttempt) -> str:
    """What became of an attempt that was made before, here or elsewhere; by the mail in Sent, if need be."""
    if attempt.status in ("sending", "unknown"):
        if EmailMessage.by_message_ids(attempt.workspace_id, [attempt.message_id]):
            attempt.end("sent")
        elif (left := attempt.started_at + LONGEST_TRY - store.now()) <= timedelta(0):
            attempt.give_up()
        elif attempt.status == "sending":
            raise StillSending(left)
    return str(attempt.reload().status)


def _make(attempt: SendAttempt, account: EmailAccount, message: OutgoingMessage) -> str:
    server = account.smtp
    settings = SmtpSettings(
        server.host, server.port, server.username, server.password, Security(server.security)
    )
    try:
        smtp.send(settings, message)
    except MailboxUnavailable:
        attempt.take_back()
        raise
    except (MailboxAuthFailed, MailboxMisconfigured, SenderRefused) as error:
        attempt.take_back()  # no contact is at fault: requeue the job when the mailbox works again
        mailbox_lock.lock(account, str(error))
        raise
    except (RecipientRefused, MessageRefused) as error:
        _suppress(attempt.workspace_id, error)
        attempt.end("refused", str(error))
        log.warning("⚠️  e-mail refused", reason=str(error))
        return "refused"
    except SendOutcomeUnknown as error:
        attempt.end("unknown", str(error))
        log.warning("⚠️  outcome of the e-mail unknown", reason=str(error))
        return "unknown"
    attempt.end("sent")
    log.info("📧 e-mail sent", contact_id=str(attempt.contact_id))
    return "sent"


def _suppress(workspace_id: ObjectId, error: RecipientRefused | MessageRefused) -> None:
    """An address that is bad for good gets no further mail."""
    if isinstance(error, RecipientRefused) and bounce.is_permanent(error.status, str(error)):
        Suppression.add(workspace_id, [error.recipient], "unreachable", store.now())
