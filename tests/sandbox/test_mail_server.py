"""The sandbox's mail server as a program of its own, read and written by our own services."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import make_msgid
from pathlib import Path

import pytest

from sandbox import mail_server
from sandbox.process import Server, free_port
from services.mail import imap, smtp
from services.mail.classify import Kind, classify
from services.mail.compose import compose
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxFolderMissing,
    MailboxMisconfigured,
    RecipientRefused,
    SenderRefused,
)
from services.mail.folders import Folders
from services.mail.message import Address, EmailMessage
from services.mail.parse import parse
from services.mail.settings import ImapSettings, Security, SmtpSettings

DEMO, OTHER, PASSWORD = "demo@acme.test", "other@acme.test", 'pass "word"'


class Mail:
    """A running server and how to use it."""

    def __init__(self, folder: Path) -> None:
        self.imap_port, self.smtp_port = free_port(), free_port()
        users = {DEMO: PASSWORD, OTHER: PASSWORD}
        self.server: Server = mail_server.server(folder, self.imap_port, self.smtp_port, users)

    def inbox(self, user: str = DEMO, folder: str = "INBOX") -> list[EmailMessage]:
        return [parse(message.raw) for message in self.fetched(user, folder).messages]

    def fetched(self, user: str = DEMO, folder: str = "INBOX", limit: int = 1_000) -> imap.Fetched:
        with imap.connect(self.reader(user)) as mailbox:
            return mailbox.fetch_since(folder, None, limit, now=datetime.now(UTC))

    def reader(self, user: str = DEMO) -> ImapSettings:
        return ImapSettings("127.0.0.1", self.imap_port, user, PASSWORD, Security.PLAIN, timeout=10)

    def send(
        self, to: str, subject: str = "Hi", *, sender: str = "ada@customer.example", user: str = ""
    ) -> None:
        settings = SmtpSettings("127.0.0.1", self.smtp_port, user, PASSWORD, Security.PLAIN, timeout=10)
        message = compose(
            sender=Address("", sender),
            to=Address("", to),
            subject=subject,
            text="Hello\n.dot\nGrüße",
            message_id=make_msgid(domain="x.example").strip("<>"),
            date=datetime.now(UTC),
        )
        smtp.send(settings, message)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    running = Mail(tmp_path / "mail")
    running.server.start()
    yield running
    running.server.stop()


def test_mail_from_the_world_arrives_in_the_inbox(mail: Mail) -> None:
    mail.send(DEMO, "Grüße")
    (message,) = mail.inbox()
    assert message.subject == "Grüße"
    assert message.text.strip() == "Hello\n.dot\nGrüße"
    assert message.headers["return-path"] == "<ada@customer.example>"


def test_an_unknown_local_user_is_refused(mail: Mail) -> None:
    with pytest.raises(RecipientRefused) as caught:
        mail.send("nobody@acme.test")
    assert caught.value.status == "5.1.1"


def test_only_signed_in_senders_write_to_the_world(mail: Mail) -> None:
    with pytest.raises(SenderRefused):
        mail.send("ada@customer.example", sender=DEMO)
    mail.send("ada@customer.example", "Out", sender=DEMO, user=DEMO)
    assert [message.subject for message in mail.inbox("outside@world.invalid")] == ["Out"]
    assert [message.subject for message in mail.inbox(DEMO, "Sent")] == ["Out"]


def test_a_late_bounce_comes_back_and_names_the_original(mail: Mail) -> None:
    mail.send("bounce-later@customer.example", "Doomed", sender=DEMO, user=DEMO)
    (sent,) = mail.inbox(DEMO, "Sent")
    (report,) = mail.inbox()
    assert classify(report, {DEMO}) is Kind.BOUNCE
    assert report.bounce is not None
    assert report.bounce.original_message_id == sent.message_id
    assert report.bounce.recipients[0].email == "bounce-later@customer.example"


def test_wrong_passwords_are_refused_by_both_servers(mail: Mail) -> None:
    with pytest.raises(MailboxAuthFailed), imap.connect(replace(mail.reader(), password="wrong")):
        pass
    settings = SmtpSettings("127.0.0.1", mail.smtp_port, DEMO, "wrong", Security.PLAIN)
    message = compose(
        sender=Address("", DEMO),
        to=Address("", OTHER),
        subject="x",
        text="x",
        message_id="x@x.example",
        date=datetime.now(UTC),
    )
    with pytest.raises(MailboxAuthFailed):
        smtp.send(settings, message)


def test_encryption_that_it_lacks_is_a_misconfiguration(mail: Mail) -> None:
    with (
        pytest.raises(MailboxMisconfigured),
        imap.connect(replace(mail.reader(), security=Security.STARTTLS)),
    ):
        pass


def test_folders_are_listed_and_a_missing_one_is_said_so(mail: Mail) -> None:
    with imap.connect(mail.reader()) as mailbox:
        assert mailbox.folders() == Folders("INBOX", "Sent")
        with pytest.raises(MailboxFolderMissing):
            mailbox.fetch_since("Archive", None, 10, now=datetime.now(UTC))


def test_appended_bytes_are_served_unchanged_and_cut_past_the_limit(mail: Mail) -> None:
    strange = b"Subject: \xe9\r\nX-Long: " + b"a " * 300 + b"\r\n\r\nnul \x00 and \xff\r\n"
    with imap.connect(mail.reader()) as mailbox:
        mailbox._client.append("INBOX", strange)
        now = datetime.now(UTC)
        (whole,) = mailbox.fetch_since("INBOX", None, 10, now=now).messages
        (cut,) = mailbox.fetch_since("INBOX", None, 10, now=now, max_bytes=100).messages
    assert (whole.raw, whole.size) == (strange, len(strange))
    assert (cut.raw, cut.is_truncated) == (strange.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", True)


def test_mail_and_uids_survive_a_restart(mail: Mail) -> None:
    mail.send(DEMO, "Before")
    before = mail.fetched()
    mail.server.stop()
    mail.server.start()
    mail.send(DEMO, "After")
    with imap.connect(mail.reader()) as mailbox:
        new = mailbox.fetch_since("INBOX", before.cursor, 10, now=datetime.now(UTC))
    assert not new.resync
    assert [parse(message.raw).subject for message in new.messages] == ["After"]


def test_mail_delivered_all_at_once_is_there_once_each(mail: Mail) -> None:
    def deliver(sender: int) -> None:
        for number in range(10):
            mail.send(DEMO, f"{sender}-{number}")

    threads = [threading.Thread(target=deliver, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        mail.inbox()
    subjects = [message.subject for message in mail.inbox()]
    assert sorted(subjects) == sorted(f"{sender}-{number}" for sender in range(4) for number in range(10))


def test_it_stops_within_two_seconds_though_a_client_is_connected(mail: Mail) -> None:
    with imap.connect(mail.reader()) as mailbox:
        start = time.monotonic()
        mail.server.stop()
        assert time.monotonic() - start < 2
        assert mailbox
    assert mail.server._process is not None
    assert mail.server._process.returncode == 0


def test_help_names_the_options_and_a_bad_user_is_explained() -> None:
    command = [sys.executable, "-m", "sandbox.mail_server"]
    said = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "--imap-port" in said
    ports = ["--imap-port", "1", "--smtp-port", "2", "--dir", "x", "--user", "demo"]
    refused = subprocess.run([*command, *ports], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "ADDRESS:PASSWORD" in refused.stderr
