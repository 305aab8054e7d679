"""Addresses, Message-IDs and dates out of decoded or raw header values. Nothing here raises."""

import email.utils
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from services.mail import decode
from services.mail.message import Address

ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@<>()\[\],;:\"\\]{1,255}")
MESSAGE_ID = re.compile(r"<([^<>]{1,2000})>")
MESSAGE_ID_LIMIT = 250  # characters; longer ones are cut, since stores bound what they index
REFERENCES_LIMIT = 50  # the root and the latest; a thread of years names hundreds
NAME_LIMIT = 200
RECIPIENTS_LIMIT = 1_000
EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

# Since 3.11.10 `strict` drops the whole header when one address is odd; we filter address by address.
_split = (
    partial(email.utils.getaddresses, strict=False)
    if getattr(email.utils, "supports_strict_parsing", False)
    else email.utils.getaddresses
)


def addresses(raw_values: Iterable[str]) -> tuple[Address, ...]:
    """Every address that looks like one, once, in order; groups and broken ones are left out."""
    found: dict[str, Address] = {}
    for raw in raw_values:
        for address in _addresses(raw):
            if len(found) < RECIPIENTS_LIMIT:
                found.setdefault(address.email, address)
    return tuple(found.values())


def _addresses(raw: str) -> list[Address]:
    """Split before decoding: an encoded name may hold a comma."""
    value = raw[: decode.HEADER_LIMIT]
    if not value.isascii():
        value, _ = decode.text(value.encode("utf-8", "surrogateescape"), None)
    try:
        pairs = _split([decode.clean(value)])
    except decode.MALFORMED:
        pairs = []
    read = [address for name, mailbox in pairs if (address := _address(name, mailbox))]
    # An unclosed quote swallows what follows; then any address is better than none.
    return read or [Address("", found.lower()) for found in ADDRESS.findall(value)]


def _address(name: str, mailbox: str) -> Address | None:
    """Outlook and some forms put the address in quotes or in the name's place."""
    found = ADDRESS.fullmatch(mailbox.strip("'\" ")) or ADDRESS.fullmatch(name.strip("'\" "))
    return Address(_name(name, found[0].lower()), found[0].lower()) if found else None


def _name(raw: str, address: str) -> str:
    name = decode.one_line(decode.header(raw), NAME_LIMIT).strip("'\" ")
    return "" if name.lower() == address else name


def message_id(raw: str | None) -> str | None:
    """The first Message-ID in a value, without brackets and spaces, its domain in lower case.

    >>> message_id("<CAF+x@Mail.Example.COM>")
    'CAF+x@mail.example.com'
    """
    return next(iter(message_ids(raw)), None)


def message_ids(raw: str | None) -> tuple[str, ...]:
    """All Message-IDs in a value, in order; a lone one may lack its brackets."""
    value = decode.clean(decode.header(raw)) if raw else ""
    found = MESSAGE_ID.findall(value) or ([value] if "@" in value and len(value.split()) == 1 else [])
    normalised = (_normalise_id(item) for item in found)
    return tuple(dict.fromkeys(item for item in normalised if item))


def references(raw: str | None) -> tuple[str, ...]:
    """As `message_ids`, bounded: the first, which names the thread, and the latest."""
    found = message_ids(raw)
    return found if len(found) <= REFERENCES_LIMIT else found[:1] + found[1 - REFERENCES_LIMIT :]


def _normalise_id(value: str) -> str:
    local, at, domain = "".join(value.split()).strip("<>").rpartition("@")
    return f"{local}{at}{domain.lower() if at else domain}"[:MESSAGE_ID_LIMIT]


def date(raw: str | None) -> datetime | None:
    """The instant in UTC; None when it is missing, unreadable or absurd (before 1980, after 2100)."""
    if not raw:
        return None
    try:
        parsed = email.utils.parsedate_to_datetime(decode.one_line(decode.header(raw), 200))
        instant = parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except decode.MALFORMED:
        return None
    return instant if EARLIEST <= instant < LATEST else None
