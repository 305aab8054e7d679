"""The welcome e-mail, through the sandbox's real SMTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import imapclient
import pytest
from pymongo.errors import AutoReconnect

from consumers import healing
from jobs import single_mail, welcome_email
from models import store
from models.contact import Contact
from models.email_account import EmailAccount, MailServer
from models.email_message import EmailMessage
from models.event import EventRecord
from models.notification import Notification
from models.send_attempt import SendAttempt
from models.suppression import Suppression
from models.workspace import Member, WelcomeEmail, Workspace
from publishers import events
from queues.connection import redis
from queues.names import CRM_WORKFLOW_BRIDGE, EMAIL_SYNC, options
from sandbox import mail_server
from sandbox.process import Server, free_port
from schemas.contact import ContactCreated
from services.mail import smtp
from services.mail.errors import MailboxAuthFailed, MailboxUnavailable, SendOutcomeUnknown
from services.merge_fields import MissingField
from tests.consumers import chaos
from tests.killing import Killed, dying

US, PASSWORD = "us@acme.test", "secret"
OUTSIDE = "outside@world.invalid"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("mail")
    server = mail_server.server(folder, free_port(), free_port(), {US: PASSWORD, "new@acme.test": PASSWORD})
    server.start()
    yield server
    server.stop()


def smtp_port(server: Server) -> int:
    return int(server.command[server.command.index("--smtp-port") + 1])


@pytest.fixture
def workspace(stores: None, server: Server) -> Workspace:
    there = {"host": "127.0.0.1", "username": US, "password": PASSWORD, "security": "plain"}
    workspace = Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()
    account = EmailAccount(
        workspace_id=workspace.id,
        user_id=workspace.members[0].user_id,
        address=US,
        imap=MailServer(port=server.port, **there),
        smtp=MailServer(port=smtp_port(server), **there),
    ).save()
    workspace.welcome_email = WelcomeEmail(
        account_id=account.id, subject="Welcome, {{contact.firstName}}", body="Good to have you."
    )
    return workspace.save()


def contact(workspace: Workspace, email: str = "new@acme.test", first_name: str | None = "Nia") -> Contact:
    return Contact.upsert(workspace.id, email, {"first_name": first_name})[0]


def inbox(server: Server, user: str = "new@acme.test") -> list[bytes]:
    with imapclient.IMAPClient("127.0.0.1", server.port, ssl=False) as client:
        client.login(user, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        return [data[b"BODY[]"] for data in client.fetch(client.search(), ["BODY.PEEK[]"]).values()]


def long_ago() -> None:
    """No worker can be at it any more."""
    SendAttempt.objects.update(set__started_at=store.now() - single_mail.LONGEST_TRY)


def test_a_welcome_e_mail_whose_job_redis_lost_is_sent_once(
    workspace: Workspace, server: Server, run_jobs: Callable[[], int]
) -> None:
    healing.heal(store.now())
    before = len(inbox(server))
    ids = {"workspace_id": str(workspace.id), "contact_id": str(contact(workspace).id)}
    event_id = events.publish(ContactCreated(**ids, source="form"))
    chaos.fetch(f"event-{event_id}").perform()
    assert EventRecord.objects.get(id=event_id).status == "done"
    redis().flushall()
    for _ in range(2):
        chaos.heal()
        run_jobs()
        assert len(inbox(server)) == before + 1
        redis().flushall()


def test_a_new_contact_gets_one_welcome_e_mail(
    workspace: Workspace, server: Server, run_jobs: Callable[[], int]
) -> None:
    before = len(inbox(server))
    new = contact(workspace)
    events.publish(ContactCreated(workspace_id=str(workspace.id), contact_id=str(new.id), source="form"))
    run_jobs()
    assert welcome_email.send(str(new.id)) == "sent"  # again: nothing more happens
    mails = inbox(server)[before:]
    assert len(mails) == 1
    assert b"Subject: Welcome, Nia" in mails[0]
    assert b"Auto-Submitted: auto-generated" in mails[0]


def test_an_imported_contact_gets_none(workspace: Workspace, run_jobs: Callable[[], int]) -> None:
    new = contact(workspace)
    events.publish(ContactCreated(workspace_id=str(workspace.id), contact_id=str(new.id), source="import"))
    run_jobs()
    assert SendAttempt.objects.count() == 0


def test_a_missing_merge_field_holds_the_mail(workspace: Workspace) -> None:
    with pytest.raises(MissingField, match=r"contact\.firstName"):
        welcome_email.send(str(contact(workspace, first_name=None).id))
    assert SendAttempt.objects.count() == 0


def test_a_server_that_is_away_is_tried_again(workspace: Workspace, server: Server) -> None:
    new = contact(workspace)
    EmailAccount.objects.update(set__smtp__port=free_port())
    with pytest.raises(MailboxUnavailable):
        welcome_email.send(str(new.id))
    EmailAccount.objects.update(set__smtp__port=smtp_port(server))
    assert welcome_email.send(str(new.id)) == "sent"


def test_a_refused_recipient_is_recorded_and_not_tried_again(workspace: Workspace) -> None:
    new = contact(workspace, "nobody@acme.test")
    assert [welcome_email.send(str(new.id)) for _ in range(2)] == ["refused", "refused"]
    assert "nobody@acme.test" in SendAttempt.objects.get().reason
    assert Suppression.among(workspace.id, ["nobody@acme.test"]) == {"nobody@acme.test": "unreachable"}


def test_who_unsubscribed_or_cannot_be_reached_gets_no_mail_and_the_attempt_says_why(
    workspace: Workspace, server: Server
) -> None:
    before, new = len(inbox(server)), contact(workspace)
    Suppression.add(workspace.id, [new.email], "unsubscribed", new.created_at)
    assert [welcome_email.send(str(new.id)) for _ in range(2)] == ["unsubscribed"] * 2
    assert SendAttempt.objects.get().status == "unsubscribed"
    assert len(inbox(server)) == before


def test_a_wrong_password_locks_the_mailbox_and_leaves_the_contact_alone(workspace: Workspace) -> None:
    account = EmailAccount.objects.get()
    account.smtp.password = "wrong"
    account.save()
    with pytest.raises(MailboxAuthFailed):
        welcome_email.send(str(contact(workspace).id))
    assert EmailAccount.objects.get().status == "locked"
    assert Notification.objects.get().kind == "mailbox_locked"
    assert SendAttempt.objects.count() == 0


def test_a_mail_of_unknown_outcome_is_never_sent_again(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(inbox(server))
    new = contact(workspace)

    def break_off(*_: object) -> None:
        raise SendOutcomeUnknown("the connection broke")

    with monkeypatch.context() as broken:
        broken.setattr(smtp, "send", break_off)
        assert welcome_email.send(str(new.id)) == "unknown"
    assert welcome_email.send(str(new.id)) == "unknown"
    assert len(inbox(server)) == before


def test_an_attempt_left_in_the_middle_is_settled_by_the_mail_in_sent(workspace: Workspace) -> None:
    new = contact(workspace)
    attempt = SendAttempt.begin(
        f"welcome:{new.id}",
        workspace_id=workspace.id,
        contact_id=new.id,
        account_id=EmailAccount.objects.get().id,
        message_id=f"welcome.{new.id}@acme.test",
    )
    assert attempt is not None
    long_ago()
    assert welcome_email.send(str(new.id)) == "unknown"
    EmailMessage(
        workspace_id=workspace.id,
        dedupe_key=attempt.message_id,
        thread_key=attempt.message_id,
        kind="own",
        sent_at=attempt.started_at,
    ).save()
    assert welcome_email.send(str(new.id)) == "sent"


@pytest.mark.parametrize(
    ("owner", "name", "when", "outcome", "mails"),
    [
        (SendAttempt, "begin", "before", "sent", 1),
        (SendAttempt, "begin", "after", "unknown", 0),
        (smtp, "send", "before", "unknown", 0),
        (smtp, "send", "after", "unknown", 1),
        (SendAttempt, "end", "before", "unknown", 1),
        (SendAttempt, "end", "after", "sent", 1),
    ],
)
def test_a_worker_that_dies_at_any_step_sends_at_most_one_mail_and_never_claims_one_that_it_cannot_know(
    workspace: Workspace,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    when: str,
    outcome: str,
    mails: int,
) -> None:
    before, new = len(inbox(server)), contact(workspace)

    with monkeypatch.context() as patch:
        dying(patch, owner, name, is_after=when == "after")
        with pytest.raises(Killed):
            welcome_email.send(str(new.id))
    if SendAttempt.objects(status="sending"):
        with pytest.raises(single_mail.StillSending):
            welcome_email.send(str(new.id))
        long_ago()
    assert [welcome_email.send(str(new.id)) for _ in range(2)] == [outcome] * 2
    assert len(inbox(server)) - before == mails


# What the worker that sends learns in the end, and how often the mail is there when its job was tried again.
TRUTHS = [(None, "sent"), (MailboxUnavailable("away"), "sent"), (SendOutcomeUnknown("broke off"), "unknown")]


@pytest.mark.parametrize("is_late", [False, True], ids=["soon", "when it was given up"])
@pytest.mark.parametrize(("error", "outcome"), TRUTHS, ids=["sent", "away", "unknown"])
def test_a_job_that_runs_twice_at_once_sends_one_mail_and_the_one_that_sends_says_what_became_of_it(
    workspace: Workspace,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
    outcome: str,
    is_late: bool,
) -> None:
    before, new, real = len(inbox(server)), contact(workspace), smtp.send

    def send_while_another_worker_has_the_job(*args: Any) -> None:
        with pytest.raises(single_mail.StillSending) as waits:
            welcome_email.send(str(new.id))
        assert 0 < waits.value.retry_after <= single_mail.LONGEST_TRY.total_seconds()
        if is_late:
            long_ago()
            assert welcome_email.send(str(new.id)) == "unknown"
        if error:
            raise error
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(smtp, "send", send_while_another_worker_has_the_job)
        with suppress(MailboxUnavailable):
            assert welcome_email.send(str(new.id)) == outcome
    assert [welcome_email.send(str(new.id)) for _ in range(2)] == [outcome] * 2
    assert len(inbox(server)) - before == (outcome == "sent")


def test_a_store_that_fails_before_the_attempt_leaves_the_mail_to_be_sent(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, new = len(inbox(server)), contact(workspace)

    def fail(*_: object) -> None:
        raise AutoReconnect("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(Suppression, "of", fail)
        with pytest.raises(AutoReconnect):
            welcome_email.send(str(new.id))
    assert welcome_email.send(str(new.id)) == "sent"
    assert len(inbox(server)) - before == 1


def test_nobody_gives_a_try_up_while_a_queue_lets_its_job_run() -> None:
    longest = max(options(name).timeout for name in (EMAIL_SYNC, CRM_WORKFLOW_BRIDGE))
    assert single_mail.LONGEST_TRY.total_seconds() >= longest
