"""Send one mail to one contact, once.

The attempt is stored before the mail is sent. When a worker dies in between, nobody knows whether the server
took it, so it is never sent again: the attempt's outcome stays `unknown` until the mail turns up in Sent.
"""

from __future__ import annotations

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

log = structlog.get_logger()


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
    server certainly took nothing; the mailbox's own errors after locking it.
    """
    message_id = f"{name}@{account.address.rpartition('@')[2]}"
    message = _message(account, contact, subject, text, message_id)
    attempt = SendAttempt.begin(
        key,
        workspace_id=account.workspace_id,
        contact_id=contact.id,
        account_id=account.id,
        message_id=message_id,
    )
    if attempt is None:
        return _reconcile(SendAttempt.of(key))
    if suppressed := Suppression.of(account.workspace_id, contact.email):
        attempt.end(suppressed.reason)
        return str(suppressed.reason)
    return _make(attempt, account, message)


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
    """An attempt was made before: if it was left in the middle, look whether the mail is in Sent."""
    if attempt.status in ("sending", "unknown"):
        sent = EmailMessage.by_message_ids(attempt.workspace_id, [attempt.message_id])
        attempt.end("sent" if sent else "unknown")
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
