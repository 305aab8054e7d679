"""Against a real SMTP server whose answers are scripted."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage as OutgoingMessage

import pytest

from sandbox.process import free_port
from services.mail import smtp
from services.mail.compose import compose
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxMisconfigured,
    MailboxUnavailable,
    MailError,
    MessageRefused,
    RecipientRefused,
    SenderRefused,
    SendOutcomeUnknown,
)
from services.mail.message import Address
from services.mail.parse import parse
from services.mail.settings import Security, SmtpSettings
from tests.services.mail.smtp_servers import Script, running


@pytest.fixture
def message() -> OutgoingMessage:
    return compose(
        sender=Address("Demo", "demo@acme.test"),
        to=Address("Ada", "ada@customer.example"),
        subject="Grüße",
        text="Hello\n.\nleading dot",
        message_id="step-1@acme.test",
        date=datetime(2025, 3, 4, 12, 0, tzinfo=UTC),
    )


def test_a_message_arrives_as_it_was_composed(message: OutgoingMessage) -> None:
    script = Script()
    with running(script) as settings:
        smtp.send(settings, message)
    assert script.recipients == ["ada@customer.example"]
    arrived = parse(script.taken[0])
    assert arrived.message_id == "step-1@acme.test"
    assert arrived.text.strip() == "Hello\n.\nleading dot"


def test_a_signed_in_sender_is_served(message: OutgoingMessage) -> None:
    script = Script()
    with running(script, wants_auth=True) as settings:
        smtp.send(settings, message)
    assert len(script.taken) == 1


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"mail": "451 4.3.0 try later"}, MailboxUnavailable),
        ({"mail": "550 5.1.8 sender unknown"}, SenderRefused),
        ({"mail": "530 5.7.0 authentication required"}, MailboxAuthFailed),
        ({"rcpt": "450 4.2.0 greylisted"}, MailboxUnavailable),
        ({"rcpt": "550 5.1.1 no such user"}, RecipientRefused),
        ({"rcpt": "550 no such user"}, RecipientRefused),
        ({"rcpt": "552 5.2.2 mailbox full"}, RecipientRefused),
        ({"rcpt": "554 5.7.1 relay access denied"}, SenderRefused),
        ({"rcpt": "550 5.1.7 bad sender"}, SenderRefused),
        ({"rcpt": "530 5.7.0 sign in first"}, MailboxAuthFailed),
        ({"data": "452 4.3.1 disk full"}, MailboxUnavailable),
        ({"data": "550 5.1.1 no such user"}, RecipientRefused),
        ({"data": "554 5.7.1 looks like spam"}, MessageRefused),
        ({"data": "552 5.3.4 too large"}, MessageRefused),
        ({"hangs_up_in_data": True}, SendOutcomeUnknown),
    ],
)
def test_each_refusal_says_who_must_act(
    message: OutgoingMessage, answers: dict[str, str], error: type[MailError]
) -> None:
    script = Script(**answers)  # type: ignore[arg-type]
    with running(script) as settings, pytest.raises(MailError) as caught:
        smtp.send(settings, message)
    assert type(caught.value) is error
    assert script.taken == []


def test_a_refused_recipient_is_told_with_its_status(message: OutgoingMessage) -> None:
    with (
        running(Script(rcpt="550 5.1.1 no such user")) as settings,
        pytest.raises(RecipientRefused) as caught,
    ):
        smtp.send(settings, message)
    error = caught.value
    assert (error.recipient, error.code, error.status) == ("ada@customer.example", 550, "5.1.1")
    assert error.permanent


def test_a_temporary_refusal_is_tried_again_after_minutes(message: OutgoingMessage) -> None:
    with (
        running(Script(rcpt="451 4.7.1 greylisted")) as settings,
        pytest.raises(MailboxUnavailable) as caught,
    ):
        smtp.send(settings, message)
    assert not caught.value.permanent
    assert caught.value.retry_after == 300


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("535 5.7.8 wrong password", MailboxAuthFailed),
        ("454 4.7.0 temporary authentication failure", MailboxUnavailable),
    ],
)
def test_a_failed_sign_in_is_permanent_only_when_the_server_means_it(
    message: OutgoingMessage, answer: str, error: type[MailError]
) -> None:
    with running(Script(auth=answer), wants_auth=True) as settings, pytest.raises(error) as caught:
        smtp.send(replace(settings, password="hunter2hunter2"), message)
    assert "hunter2" not in str(caught.value)


def test_a_server_without_sign_in_is_a_misconfiguration(message: OutgoingMessage) -> None:
    with running(Script()) as settings, pytest.raises(MailboxMisconfigured):
        smtp.send(replace(settings, username="demo", password="secret"), message)


def test_a_server_without_encryption_gets_no_password(message: OutgoingMessage) -> None:
    with running(Script(), wants_auth=True) as settings, pytest.raises(MailboxMisconfigured):
        smtp.send(replace(settings, security=Security.STARTTLS), message)


def test_a_server_that_is_away_is_transient(message: OutgoingMessage) -> None:
    settings = SmtpSettings("127.0.0.1", free_port(), "", "", Security.PLAIN, timeout=2)
    with pytest.raises(MailboxUnavailable, match="nothing was sent"):
        smtp.send(settings, message)


def test_a_silent_server_is_transient(message: OutgoingMessage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = SmtpSettings("127.0.0.1", mute.getsockname()[1], "", "", Security.PLAIN, timeout=0.3)
        with pytest.raises(MailboxUnavailable, match="timed out"):
            smtp.send(settings, message)


def test_two_recipients_are_refused_before_anything_is_sent(message: OutgoingMessage) -> None:
    message["Cc"] = "grace@customer.example"
    script = Script()
    with running(script) as settings, pytest.raises(ValueError, match="one From, one To"):
        smtp.send(settings, message)
    assert script.taken == []
