from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import dovecot
from sandbox.dovecot import Dovecot
from sandbox.process import answers

USER = "a@acme.test"


@pytest.fixture
def server() -> Iterator[Dovecot]:
    if not dovecot.is_installed():
        pytest.skip("dovecot-imapd is not installed")
    running = Dovecot({USER: "secret"})
    running.start()
    yield running
    running.remove()


def test_it_serves_what_is_delivered_and_listens_on_both_ports(server: Dovecot) -> None:
    server.deliver(USER, b"Subject: x\r\n\r\nbody\r\n")
    with server.client(USER) as client:
        assert client.select_folder("INBOX")[b"EXISTS"] == 1
    assert answers(server.port)
    assert answers(server.tls_port)


@pytest.mark.parametrize("folder", ["INBOX", "Sent"])
def test_a_changed_uid_validity_keeps_the_mail(server: Dovecot, folder: str) -> None:
    server.deliver(USER, b"Subject: x\r\n\r\nbody\r\n", folder)
    with server.client(USER) as client:
        before = client.select_folder(folder)
    server.change_uid_validity(USER, folder)
    with server.client(USER) as client:
        after = client.select_folder(folder)
    assert after[b"UIDVALIDITY"] > before[b"UIDVALIDITY"]
    assert after[b"EXISTS"] == 1


def test_two_run_beside_each_other_and_leave_nothing_behind(server: Dovecot) -> None:
    other = Dovecot({USER: "other"})
    other.start()
    assert answers(server.port)
    assert answers(other.port)
    other.remove()
    assert not answers(other.port)
    assert not other.root.exists()
    assert answers(server.port)
