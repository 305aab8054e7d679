"""What the sandbox's SMTP server does with mail: a provider's submission server and an MX in one."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, make_msgid
from typing import Any

from aiosmtpd.smtp import AuthResult, LoginPassword

from sandbox.mail_store import MailStore

BOUNCING = "bounce-later@"  # accepted at first, comes back as a delivery report: how many servers do it
OUTSIDE = "outside@world.invalid"  # the mailbox that stands for everybody else


class Handler:
    """Local recipients get their mail; signed-in users may also write to the world, which is one mailbox."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, auth_data: Any
    ) -> AuthResult:
        if not isinstance(auth_data, LoginPassword):
            return AuthResult(success=False, handled=False)
        user, password = auth_data.login.decode(), auth_data.password.decode()
        return AuthResult(success=self._store.accepts(user, password), handled=False, auth_data=user)

    async def handle_RCPT(
        self, _server: Any, session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if self._store.has(address) or address.lower().startswith(BOUNCING):
            pass
        elif self._store.serves(address.rpartition("@")[2]):
            return f"550 5.1.1 <{address}>: no such user here"
        elif not session.authenticated:
            return f"554 5.7.1 <{address}>: relaying denied, sign in first"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        sender = envelope.mail_from or ""
        raw: bytes = envelope.content
        for recipient in envelope.rcpt_tos:
            if recipient.lower().startswith(BOUNCING):
                self._deliver(sender, b"Return-Path: <>\r\n" + _report(sender, recipient, raw))
            else:
                self._deliver(recipient, f"Return-Path: <{sender}>\r\n".encode() + raw)
        if session.authenticated and (sent := self._store.folder(session.auth_data, "Sent")):
            sent.append(raw)  # as large providers do
        return "250 2.0.0 taken"

    def _deliver(self, address: str, raw: bytes) -> None:
        folder = self._store.folder(address, "INBOX") or self._store.folder(OUTSIDE, "INBOX")
        if folder:
            folder.append(raw)


def _report(sender: str, recipient: str, raw: bytes) -> bytes:
    """A delivery status notification (RFC 3464)."""
    head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    lines = [
        "From: Mail Delivery System <MAILER-DAEMON@sandbox.invalid>",
        f"To: <{sender}>",
        "Subject: Undelivered Mail Returned to Sender",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"Message-ID: {make_msgid(domain='sandbox.invalid')}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=-report"',
        "",
        "--=-report",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"Your message could not be delivered to {recipient}: no such user.",
        "",
        "--=-report",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; sandbox.invalid",
        "",
        f"Final-Recipient: rfc822; {recipient}",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user",
        "",
        "--=-report",
        "Content-Type: text/rfc822-headers",
        "",
        head.replace("\r\n", "\n"),
        "",
        "--=-report--",
        "",
    ]
    return "\n".join(lines).replace("\n", "\r\n").encode()
