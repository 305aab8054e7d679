"""How to reach a mailbox. Passwords never show in a repr, and so in no log line."""

import ssl
from dataclasses import dataclass, field
from enum import StrEnum

from services.mail.errors import MailboxMisconfigured


class Security(StrEnum):
    """`plain` sends the password readable: for servers on the same machine only."""

    SSL = "ssl"
    STARTTLS = "starttls"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`timeout`: seconds for the connection and for each answer. `ca_file`: a company's own CA, in PEM."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    security: Security = Security.SSL
    timeout: float = 30.0
    ca_file: str | None = None

    def __post_init__(self) -> None:
        for name in ("host", "username", "password"):
            if any(ord(character) < 32 or ord(character) == 127 for character in getattr(self, name)):
                raise MailboxMisconfigured(
                    f"mailbox settings: {name} holds a control character; type it again"
                )
        if not self.host or not 0 < self.port < 65_536:
            raise MailboxMisconfigured("mailbox settings: a host and a port from 1 to 65535 are needed")

    def __str__(self) -> str:
        return f"{self.username} at {self.host}:{self.port}"

    def tls(self) -> ssl.SSLContext:
        """Certificate and host name are always checked."""
        return ssl.create_default_context(cafile=self.ca_file)

    def scrub(self, words: object) -> str:
        """A server's words for a message of ours: on one line, bounded, without the password."""
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        text = text.replace(self.password, "***") if self.password else text
        return " ".join(text.split())[:300]


class ImapSettings(ServerSettings):
    """Where mail comes from."""

    __slots__ = ()


class SmtpSettings(ServerSettings):
    """Where mail goes out; an empty username sends without signing in."""

    __slots__ = ()
