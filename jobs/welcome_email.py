"""Send a workspace's welcome e-mail to one new contact, once.

The attempt is stored before the mail is sent. When a worker dies in between, nobody knows whether the server
took it, so it is never sent again: the attempt's outcome stays `unknown` until the mail turns up in Sent.
"""

from __future__ import annotations

from email.message import EmailMessage as OutgoingMessage

import structlog
from bson import ObjectId

from jobs import mailbox_lock
from models import facts, store
from models.contact import Contact
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.send_attempt import SendAttempt
from models.workspace import WelcomeEmail, Workspace
from services import merge_fields
from services.mail import smtp
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
    """The workspace's welcome e-mail is set up in a way that nothing can be sent; the message says how."""

    permanent = True


def send(contact_id: str) -> str:
    """Send it; returns what became of it: sent, refused, unknown, or why there was nothing to do.

    Safe to run twice: one attempt per contact, stored before it is made. Raises `MailboxUnavailable` to be
    tried again, when the server certainly took nothing; the mailbox's own errors after locking it.
    """
    contact = Contact.objects(id=ObjectId(contact_id)).first()
    workspace = Workspace.objects(id=contact.workspace_id).first() if contact else None
    if not workspace or not workspace.welcome_email:
        return "not wanted any more"
    account = _sender(workspace)
    message = _message(workspace.welcome_email, account, contact)
    key = f"welcome:{contact_id}"
    attempt = SendAttempt.begin(
        key,
        workspace_id=workspace.id,
        contact_id=contact.id,
        account_id=account.id,
        message_id=_message_id(account, contact),
    )
    if attempt is None:
        return _reconcile(SendAttempt.of(key))
    return _make(attempt, account, message)


def _sender(workspace: Workspace) -> EmailAccount:
    account = EmailAccount.objects(id=workspace.welcome_email.account_id, workspace_id=workspace.id).first()
    if account is None or account.smtp is None:
        raise CannotSend("the mailbox of the welcome e-mail is gone or has no SMTP server: choose another")
    if account.status != "active":
        raise CannotSend(f"the mailbox {account.address} is {account.status}: mend it, then requeue this job")
    found: EmailAccount = account
    return found


def _message(welcome: WelcomeEmail, account: EmailAccount, contact: Contact) -> OutgoingMessage:
    known = {"contact": facts.of_contact(contact)}
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return compose(
        sender=Address("", account.address),
        to=Address(name, contact.email),
        subject=merge_fields.render(welcome.subject, known),
        text=merge_fields.render(welcome.body, known),
        message_id=_message_id(account, contact),
        date=store.now(),
        is_automatic=True,
    )


def _message_id(account: EmailAccount, contact: Contact) -> str:
    return f"welcome.{contact.id}@{account.address.rpartition('@')[2]}"


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
        attempt.end("refused", str(error))
        log.warning("⚠️  welcome e-mail refused", reason=str(error))
        return "refused"
    except SendOutcomeUnknown as error:
        attempt.end("unknown", str(error))
        log.warning("⚠️  outcome of the welcome e-mail unknown", reason=str(error))
        return "unknown"
    attempt.end("sent")
    log.info("📧 welcome e-mail sent", contact_id=str(attempt.contact_id))
    return "sent"
