"""A Dovecot for the whole run; each test gets a mailbox of its own on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox import dovecot
from sandbox.dovecot import Dovecot
from services.mail.settings import ImapSettings, Security

MAILBOXES = 200  # more than there are tests
PASSWORD = 'open sesame \\ "quoted" {5}'
UMLAUT_USER, UMLAUT_PASSWORD = "umlaut@acme.test", "grüße"
_numbers = itertools.count()


@dataclass(frozen=True)
class Account:
    """One mailbox on a running Dovecot."""

    server: Dovecot
    user: str

    @property
    def settings(self) -> ImapSettings:
        return ImapSettings("127.0.0.1", self.server.port, self.user, PASSWORD, Security.PLAIN, timeout=10)

    def deliver(self, *messages: bytes, folder: str = "INBOX") -> None:
        for message in messages:
            self.server.deliver(self.user, message, folder)


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[Dovecot]:
    if not dovecot.is_installed():
        pytest.skip("dovecot-imapd is not installed")
    users = {f"user{number}@acme.test": PASSWORD for number in range(MAILBOXES)}
    server = Dovecot({**users, UMLAUT_USER: UMLAUT_PASSWORD}, sent="Gesendete Post")
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def account(dovecot_server: Dovecot) -> Account:
    return Account(dovecot_server, f"user{next(_numbers)}@acme.test")
