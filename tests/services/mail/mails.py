"""Messages for tests: the corpus, and small ones made on the spot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from services.mail.message import Address, EmailMessage
from services.mail.parse import parse

CORPUS = Path(__file__).parent / "corpus"
NOON = datetime(2025, 3, 4, 12, 0, tzinfo=UTC)


def read(name: str) -> EmailMessage:
    """A message of the corpus, parsed."""
    return parse((CORPUS / f"{name}.eml").read_bytes())


def raw(subject: str = "Hello", body: str = "Good morning", **headers: str) -> bytes:
    """A plain message as a server keeps it; `message_id="a@b"` becomes the header Message-Id."""
    fields = {"from": "Ada <ada@customer.example>", "to": "demo@acme.test", "subject": subject, **headers}
    if "message_id" in fields:
        fields["message_id"] = f"<{fields['message_id']}>"
    lines = [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", body, ""]).encode()


def message(
    subject: str = "Hello",
    *,
    sender: str = "ada@customer.example",
    to: tuple[str, ...] = ("demo@acme.test",),
    message_id: str = "m@customer.example",
    **changes: object,
) -> EmailMessage:
    """A parsed message, put together field by field."""
    plain = EmailMessage(
        message_id=message_id,
        dedupe_key=message_id,
        subject=subject,
        from_=Address("", sender),
        sent_at=NOON,
        size=1,
        to=tuple(Address("", address) for address in to),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
