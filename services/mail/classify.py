"""What kind of mail a message is; the first rule that holds decides."""

from collections.abc import Collection
from enum import StrEnum

from services.mail import subjects
from services.mail.message import EmailMessage


class Kind(StrEnum):
    """Bounces and automatic replies come first: nobody wrote them, so they must not count as an answer."""

    BOUNCE = "bounce"
    AUTO_REPLY = "auto-reply"
    OWN = "own"
    REPLY = "reply"
    FORWARD = "forward"
    NEW = "new"


AUTORESPONDER_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder")


def classify(message: EmailMessage, own_addresses: Collection[str]) -> Kind:
    """`own_addresses`: the addresses of the mailbox and its aliases, in lower case."""
    if message.bounce:
        return Kind.BOUNCE
    if is_auto_reply(message):
        return Kind.AUTO_REPLY
    if message.from_ and message.from_.email in own_addresses:
        return Kind.OWN
    # Forwards carry In-Reply-To as well, so the outermost prefix outweighs it.
    if subjects.is_forward(message.subject):
        return Kind.FORWARD
    if message.in_reply_to or message.references or subjects.is_reply(message.subject):
        return Kind.REPLY
    return Kind.NEW


def is_auto_reply(message: EmailMessage) -> bool:
    """By `Auto-Submitted` (RFC 3834), the headers that came before it, or the subject.

    X-Auto-Response-Suppress is no sign: Exchange puts it on mail that people write, too.
    """
    if (submitted := message.headers.get("auto-submitted")) is not None:
        return submitted.partition(";")[0].strip().lower() not in ("no", "")
    if any(message.headers.get(name, "no").strip().lower() != "no" for name in AUTORESPONDER_HEADERS):
        return True
    if message.headers.get("precedence", "").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    return subjects.is_auto_reply(message.subject)
