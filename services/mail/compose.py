"""A message of ours, ready to send. Text from contacts and users cannot add or break a header."""

from collections.abc import Mapping
from datetime import datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage as OutgoingMessage
from email.utils import format_datetime

from services.mail import headers as syntax
from services.mail.message import Address


class HeaderInjection(ValueError):
    """A header value holds a line break or another control character; the message names the header."""

    permanent = True


class BadAddress(ValueError):
    """No mail can be sent to or from this address; the message names it."""

    permanent = True


def compose(
    *,
    sender: Address,
    to: Address,
    subject: str,
    text: str,
    message_id: str,
    date: datetime,
    html: str | None = None,
    reply_to: Address | None = None,
    in_reply_to: str | None = None,
    references: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
    is_automatic: bool = False,
) -> OutgoingMessage:
    """Plain text, and HTML beside it if given.

    `message_id`, `in_reply_to` and `references` come without angle brackets; the caller makes the Message-ID
    before sending, so that a send of unknown outcome can be looked up. `date` is aware. `is_automatic` adds
    `Auto-Submitted: auto-generated` (RFC 3834), which keeps vacation responders quiet.

    Raises HeaderInjection for a control character in any header, ValueError for an address that is none.
    """
    message = OutgoingMessage(policy=policy.SMTP)
    fields = {
        "From": _mailbox("From", sender),
        "To": _mailbox("To", to),
        "Reply-To": _mailbox("Reply-To", reply_to) if reply_to else None,
        "Subject": subject,
        "Date": format_datetime(date),
        "Message-ID": f"<{message_id}>",
        "In-Reply-To": f"<{in_reply_to}>" if in_reply_to else None,
        "References": " ".join(f"<{item}>" for item in references) or None,
        "Auto-Submitted": "auto-generated" if is_automatic else None,
        **(headers or {}),
    }
    for name, value in fields.items():
        if value is not None:
            _refuse_controls(name, str(value))
            message[name] = value
    message.set_content(text.replace("\0", ""))
    if html is not None:
        message.add_alternative(html.replace("\0", ""), subtype="html")
    return message


def _mailbox(field: str, address: Address) -> HeaderAddress:
    _refuse_controls(field, address.name + address.email)
    local, _, domain = address.email.rpartition("@")
    try:
        if not syntax.ADDRESS.fullmatch(address.email):
            raise ValueError(address.email)
        ascii_domain = domain.encode("idna").decode()
        return HeaderAddress(address.name, username=local.encode("ascii").decode(), domain=ascii_domain)
    except (ValueError, IndexError, AttributeError) as error:
        raise BadAddress(f"{field}: {address.email!r} is no address that mail can be sent to") from error


def _refuse_controls(field: str, value: str) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in field + value):
        raise HeaderInjection(f"{field}: line breaks and control characters are not allowed in a header")
