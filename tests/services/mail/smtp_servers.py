"""A real SMTP server whose answers a test writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from sandbox.process import free_port
from services.mail.settings import Security, SmtpSettings


@dataclass
class Script:
    """What the server says at each step; None is its usual answer. `taken` holds what it accepted."""

    mail: str | None = None
    rcpt: str | None = None
    data: str | None = None
    auth: str | None = None
    hangs_up_in_data: bool = False
    taken: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        if self.auth:
            return AuthResult(success=False, handled=False, message=self.auth)
        return AuthResult(success=data.login == b"demo" and data.password == b"secret", handled=False)

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.mail:
            return self.mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if self.hangs_up_in_data:
            assert server.transport
            server.transport.abort()
            return "250 nobody hears this"
        if self.data:
            return self.data
        self.taken.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        return "250 OK"


@contextmanager
def running(script: Script, *, wants_auth: bool = False) -> Iterator[SmtpSettings]:
    """The settings of a server that follows the script."""
    options = {"authenticator": script.authenticate, "auth_require_tls": False} if wants_auth else {}
    port = free_port()
    controller = Controller(script, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        user, password = ("demo", "secret") if wants_auth else ("", "")
        yield SmtpSettings("127.0.0.1", port, user, password, Security.PLAIN, timeout=5)
    finally:
        controller.stop()
