"""Hand one message for one recipient to a mail server (RFC 5321), and say precisely what became of it."""

import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage as OutgoingMessage
from typing import NoReturn

from services.mail.errors import (
    MailboxAuthFailed,
    MailboxMisconfigured,
    MailboxUnavailable,
    MailError,
    MessageRefused,
    RecipientRefused,
    SenderRefused,
    SendOutcomeUnknown,
)
from services.mail.settings import Security, SmtpSettings

GREYLIST_SECONDS = 300.0  # a "not now" is usually greylisting, which lifts after a few minutes
STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")  # RFC 3463
AUTH_CODES = frozenset({530, 534, 535, 538})  # RFC 4954
# X.1.7 and X.1.8 are about the sender's address. X.7 is policy: at this stage mostly "relaying denied", which
# must not mark the contacts of a mailbox as bounced, one after the other.
SENDER_STATUS = re.compile(r"5\.(?:1\.[78]|7\.\d+)$")
RECIPIENT_STATUS = re.compile(r"5\.(?:1\.(?![78]$)\d+|2\.\d+)$")


def send(settings: SmtpSettings, message: OutgoingMessage) -> None:
    """Send it to the one address in `To`. Returns once the server has taken it.

    Raises MailboxUnavailable (nothing was sent, try again), RecipientRefused, MessageRefused, SenderRefused,
    MailboxAuthFailed, MailboxMisconfigured, or SendOutcomeUnknown (find out, never resend blindly).
    """
    sender, recipient = _envelope(message)
    with _connected(settings) as server:
        code, said = server.mail(sender)
        if code >= 400:
            _refused_sender(settings, code, said)
        code, said = server.rcpt(recipient)
        if code >= 400:
            _refused_recipient(settings, recipient, code, said)
        _hand_over(settings, server, message, recipient)


def check(settings: SmtpSettings) -> None:
    """Sign in and send nothing. Raises what `send` raises before it hands a message over."""
    with _connected(settings):
        pass


def _envelope(message: OutgoingMessage) -> tuple[str, str]:
    sender = [address.addr_spec for address in message["From"].addresses]
    recipients = [address.addr_spec for address in message["To"].addresses]
    if len(sender) != 1 or len(recipients) != 1 or "Cc" in message or "Bcc" in message:
        raise ValueError("a message has one From, one To and no Cc or Bcc: then its outcome is one, too")
    return sender[0], recipients[0]


@contextmanager
def _connected(settings: SmtpSettings) -> Iterator[smtplib.SMTP]:
    try:
        server = _open(settings)
        try:
            _sign_in(settings, server)
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()  # the mail is taken; how the server says goodbye changes nothing
        finally:
            server.close()
    except MailError:
        raise
    except smtplib.SMTPResponseException as error:
        _refused_sender(settings, error.smtp_code, _bytes(error.smtp_error))
    except (smtplib.SMTPException, OSError) as error:
        words = settings.scrub(error) or type(error).__name__
        raise MailboxUnavailable(
            f"{settings} could not be reached: {words}; nothing was sent, it is tried again"
        ) from None


def _open(settings: SmtpSettings) -> smtplib.SMTP:
    if settings.security is Security.SSL:
        return smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=settings.timeout, context=settings.tls()
        )
    return smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)


def _sign_in(settings: SmtpSettings, server: smtplib.SMTP) -> None:
    try:
        if settings.security is Security.STARTTLS:
            server.starttls(context=settings.tls())
        server.ehlo_or_helo_if_needed()
        if settings.username:
            server.login(settings.username, settings.password)
    except smtplib.SMTPNotSupportedError as error:
        words = settings.scrub(error)
        raise MailboxMisconfigured(
            f"{settings} does not offer what the settings ask for: {words}; choose another encryption or port"
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code < 500:
            raise
        words = settings.scrub(error.smtp_error)
        raise MailboxAuthFailed(
            f"{settings} refuses the sign-in to send ({error.smtp_code} {words}); enter its password again"
        ) from None


def _hand_over(
    settings: SmtpSettings, server: smtplib.SMTP, message: OutgoingMessage, recipient: str
) -> None:
    try:
        code, said = server.data(message.as_bytes())
    except smtplib.SMTPDataError as error:
        code, said = error.smtp_code, _bytes(error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        raise SendOutcomeUnknown(
            f"{settings} broke off while it took the mail ({settings.scrub(error) or type(error).__name__}); "
            "look for its Message-ID in the Sent folder before anything is sent again"
        ) from None
    if code < 400:
        return
    words = settings.scrub(said)
    if code < 500:
        _not_now(settings, code, words)
    if RECIPIENT_STATUS.match(_status(words)):
        _refused_recipient(settings, recipient, code, said)
    raise MessageRefused(f"{settings} refuses this message ({code} {words}); its recipient may be fine")


def _refused_sender(settings: SmtpSettings, code: int, said: bytes) -> NoReturn:
    words = settings.scrub(said)
    if code < 500:
        _not_now(settings, code, words)
    if code in AUTH_CODES:
        raise MailboxAuthFailed(
            f"{settings} wants a sign-in for sending ({code} {words}); enter its password again"
        )
    raise SenderRefused(
        f"{settings} does not send for this mailbox ({code} {words}); its owner must ask the provider"
    )


def _refused_recipient(settings: SmtpSettings, recipient: str, code: int, said: bytes) -> NoReturn:
    words = settings.scrub(said)
    status = _status(words)
    if code < 500 or code in AUTH_CODES or SENDER_STATUS.match(status):
        _refused_sender(settings, code, said)
    raise RecipientRefused(
        f"{settings} refuses {recipient} for good ({code} {words})",
        recipient=recipient,
        code=code,
        status=status,
    )


def _not_now(settings: SmtpSettings, code: int, words: str) -> NoReturn:
    raise MailboxUnavailable(
        f"{settings} does not take the mail now ({code} {words}); nothing was sent, it is tried again",
        retry_after=GREYLIST_SECONDS,
    )


def _status(words: str) -> str:
    found = STATUS.search(words)
    return found[1] if found else ""


def _bytes(words: bytes | str) -> bytes:
    return words.encode() if isinstance(words, str) else words
