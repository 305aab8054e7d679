"""One e-mail as every provider (IMAP, Gmail, Graph) ends in: plain, decoded, bounded values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Address:
    """`email` is in lower case and looks like an address; `name` is decoded and may be empty."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a message carries beside its text; the contents are left on the server. `size` is in bytes."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """One address that a bounce is about.

    `is_final`: the server has given up; otherwise it only warns of a delay and keeps trying.
    `is_permanent`: the address itself is bad; a full mailbox or an expired queue is final, not permanent.
    `status` is an RFC 3463 code like "5.1.1", or "" when the bounce names none.
    """

    email: str
    is_final: bool
    is_permanent: bool
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What came back, and the normalised Message-ID of the mail that caused it, where it is named."""

    recipients: tuple[FailedRecipient, ...]
    original_message_id: str | None


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """A parsed message. Every text is valid Unicode without NUL, so any store takes it.

    `message_id`, `in_reply_to` and `references` are normalised: no angle brackets, the domain in lower case.
    `dedupe_key` is the Message-ID, or "hash:" and a SHA-256 of date, sender, subject and body.
    `sent_at` is what the sender claims, in UTC; None when missing or absurd. `size` is in bytes.
    `is_truncated`: only the headers were fetched, because the message is larger than the limit.
    `headers` holds those that classification and unsubscribing need, by lower-case name.
    `problems` says in words what could not be read as it should.
    """

    message_id: str | None
    dedupe_key: str
    subject: str
    from_: Address | None
    sent_at: datetime | None
    size: int
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    reply_text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    bounce: Bounce | None = None
    is_truncated: bool = False
    problems: tuple[str, ...] = ()
