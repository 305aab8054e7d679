"""The action `send_email`, through the sandbox's real SMTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imapclient
import pytest

from consumers import automations
from jobs import automation_mail, automation_step, email_sync, single_mail
from models.contact import Contact
from models.email_account import EmailAccount, MailServer
from models.event import EventRecord
from models.lease import Lease
from models.send_attempt import SendAttempt
from models.suppression import Suppression
from models.trigger_run import TriggerRun
from models.workspace import Member, Workspace
from publishers import events, workflows
from sandbox import mail_server
from sandbox.process import Server, free_port
from schemas.email import EmailBounced, EmailReceived, EmailReplied, EmailUnsubscribed
from schemas.event import Event
from services.mail import smtp
from services.mail.errors import MailboxUnavailable, SendOutcomeUnknown
from tests.automations import automation
from tests.killing import Killed, dying

RunJobs = Callable[[], int]
US, THEM, PASSWORD = "us@acme.test", "grace@acme.test", "secret"
MAIL = {"type": "send_email", "subject": "Welcome, {{contact.firstName}}", "body": "Good to have you."}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("mail")
    server = mail_server.server(folder, free_port(), free_port(), {US: PASSWORD, THEM: PASSWORD})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def workspace(stores: None, server: Server) -> Workspace:
    """Ada, with a mailbox that sends."""
    there = {"host": "127.0.0.1", "username": US, "password": PASSWORD, "security": "plain"}
    smtp_port = int(server.command[server.command.index("--smtp-port") + 1])
    workspace = Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()
    EmailAccount(
        workspace_id=workspace.id,
        user_id=workspace.members[0].user_id,
        address=US,
        imap=MailServer(port=server.port, **there),
        smtp=MailServer(port=smtp_port, **there),
    ).save()
    return workspace


def inbox(server: Server) -> list[bytes]:
    with imapclient.IMAPClient("127.0.0.1", server.port, ssl=False) as client:
        client.login(THEM, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        return [data[b"BODY[]"] for data in client.fetch(client.search(), ["BODY.PEEK[]"]).values()]


def answered(workspace: Workspace, event_class: type[Event] = EmailReplied, **fields: Any) -> str:
    """An e-mail event of Grace, who is Ada's, and the run that it sets off; returns the run's id."""
    owner = workspace.members[0].user_id
    contact, _ = Contact.upsert(workspace.id, THEM, {"first_name": "Grace", "assigned_to": owner})
    event = event_class(
        workspace_id=str(workspace.id),
        message_id=str(contact.id),
        account_id=str(EmailAccount.objects.get().id),
        contact_id=str(contact.id),
        **fields,
    )
    event_id = events.publish(event)
    trigger = automation(workspace, event_type=event_class.type, actions=[MAIL])
    automations.run(event_id)
    return TriggerRun.id_of(trigger.id, event_id)


def step() -> Any:
    return TriggerRun.objects.get().steps[0]


def test_the_contact_gets_one_mail_from_its_owner(
    workspace: Workspace, server: Server, run_jobs: RunJobs
) -> None:
    before = len(inbox(server))
    run_id = answered(workspace)
    run_jobs()
    assert automation_step.run(run_id, 0) == "done"
    (mail,) = inbox(server)[before:]

    assert b"Subject: Welcome, Grace" in mail
    assert b"From: us@acme.test" in mail
    assert b"Auto-Submitted: auto-generated" in mail
    assert (step().note, SendAttempt.objects.get().status) == ("sent", "sent")


def test_a_mailbox_that_is_named_sends(workspace: Workspace, server: Server, run_jobs: RunJobs) -> None:
    before = len(inbox(server))
    account = EmailAccount.objects.get()
    Contact.upsert(workspace.id, THEM, {"first_name": "Grace"})
    run_id = answered(workspace)
    Contact.objects.update(unset__assigned_to=True)
    TriggerRun.objects(id=run_id).update(set__steps__0__action={**MAIL, "accountId": str(account.id)})
    run_jobs()

    assert step().status == "done"
    assert len(inbox(server)) == before + 1


def test_without_a_mailbox_that_can_send_it_is_a_dead_letter(workspace: Workspace, run_jobs: RunJobs) -> None:
    EmailAccount.objects.update(set__status="locked")
    answered(workspace)
    run_jobs()

    assert step().status == "failed"
    assert "no mailbox that can send" in step().error
    assert SendAttempt.objects.count() == 0


@pytest.mark.parametrize(
    ("event_class", "fields"),
    [
        (EmailReceived, {"kind": "auto-reply"}),
        (EmailBounced, {"recipients": [THEM], "is_permanent": True}),
    ],
)
def test_a_machine_is_never_answered(
    workspace: Workspace, server: Server, run_jobs: RunJobs, event_class: type[Event], fields: dict[str, Any]
) -> None:
    before = len(inbox(server))
    answered(workspace, event_class, **fields)
    run_jobs()

    assert (step().status, SendAttempt.objects.count()) == ("skipped", 0)
    assert "never answered by a machine" in step().note
    assert len(inbox(server)) == before


@pytest.mark.parametrize("follow", ["contact.updated", "workflow.completed"])
def test_a_machine_is_not_answered_by_way_of_another_automation_either(
    workspace: Workspace, server: Server, run_jobs: RunJobs, follow: str
) -> None:
    before = len(inbox(server))
    owner = workspace.members[0].user_id
    contact, _ = Contact.upsert(workspace.id, THEM, {"first_name": "Grace", "assigned_to": owner})
    automation(
        workspace, event_type=EmailReceived.type, actions=[{"type": "update_contact", "addTags": ["away"]}]
    )
    second = automation(workspace, event_type=follow, actions=[MAIL])
    ids = {"workspace_id": str(workspace.id), "contact_id": str(contact.id), "message_id": str(contact.id)}
    account_id = str(EmailAccount.objects.get().id)
    events.publish(EmailReceived(**ids, account_id=account_id, kind="auto-reply"))
    run_jobs()

    (ended,) = TriggerRun.objects.get(trigger_id=second.id).steps
    assert (ended.status, SendAttempt.objects.count()) == ("skipped", 0)
    assert "never answered by a machine" in ended.note
    assert len(inbox(server)) == before


def test_who_wants_no_more_mail_gets_none(workspace: Workspace, run_jobs: RunJobs) -> None:
    contact, _ = Contact.upsert(workspace.id, THEM, {"first_name": "Grace"})
    event = EmailUnsubscribed(
        workspace_id=str(workspace.id),
        contact_id=str(contact.id),
        method="one_click",
        unsubscribed_at=automations.store.now(),
    )
    automation(workspace, event_type=EmailUnsubscribed.type, actions=[MAIL])
    automations.run(events.publish(event))
    run_jobs()

    assert (step().status, SendAttempt.objects.count()) == ("skipped", 0)


@pytest.mark.parametrize(
    ("reason", "note"),
    [("unsubscribed", "the contact unsubscribed"), ("unreachable", "came back for good")],
)
def test_a_suppressed_contact_gets_no_mail_and_the_history_says_why(
    workspace: Workspace, server: Server, run_jobs: RunJobs, reason: Any, note: str
) -> None:
    before, now = len(inbox(server)), automations.store.now()
    Suppression.add(workspace.id, [THEM], reason, now)
    answered(workspace)
    run_jobs()

    assert (step().status, SendAttempt.objects.get().status) == ("skipped", reason)
    assert note in step().note
    assert len(inbox(server)) == before


def test_a_server_that_is_away_is_tried_again(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(inbox(server))
    run_id = answered(workspace)
    port = EmailAccount.objects.get().smtp.port
    EmailAccount.objects.update(set__smtp__port=free_port())
    with pytest.raises(MailboxUnavailable):
        automation_step.run(run_id, 0)
    assert step().status == "retrying"

    EmailAccount.objects.update(set__smtp__port=port)
    assert automation_step.run(run_id, 0) == "done"
    assert len(inbox(server)) == before + 1


def sent_in_doubt(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run whose mail was sent, though the connection broke before the server said so."""
    run_id, real = answered(workspace), smtp.send

    def send_and_break(*args: Any) -> None:
        real(*args)
        raise SendOutcomeUnknown("the connection broke")

    with monkeypatch.context() as broken:
        broken.setattr(smtp, "send", send_and_break)
        assert automation_step.run(run_id, 0) == "failed"
    return run_id


def test_a_mail_that_may_have_been_sent_is_not_sent_again(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(inbox(server))
    run_id = sent_in_doubt(workspace, monkeypatch)
    assert automation_step.run(run_id, 0) == "failed"
    assert "it may be sent" in step().note
    assert len(inbox(server)) == before + 1


@pytest.fixture
def in_doubt(workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    return sent_in_doubt(workspace, monkeypatch)


def turns_up(server: Server) -> None:
    """The mailbox's server has put the mail into Sent, and the mailbox is synced."""
    with imapclient.IMAPClient("127.0.0.1", server.port, ssl=False) as client:
        client.login(US, PASSWORD)
        if not client.folder_exists("Sent"):
            client.create_folder("Sent")
        client.append("Sent", inbox(server)[-1])
    email_sync.sync(str(EmailAccount.objects.get().id))


def outcomes() -> list[str]:
    return [
        event.payload["outcome"] for event in EventRecord.objects(type="workflow.completed").order_by("id")
    ]


def test_a_mail_that_turns_up_in_sent_makes_the_action_done_and_that_is_told(
    in_doubt: str, server: Server
) -> None:
    assert (TriggerRun.objects.get().status, outcomes()) == ("failed", ["failed"])
    turns_up(server)

    assert (step().status, step().note) == ("done", automation_mail.TURNED_UP)
    assert TriggerRun.objects.get().status == "done"
    assert SendAttempt.objects.get().status == "sent"
    assert outcomes() == ["failed", "succeeded"]
    assert automation_step.run(in_doubt, 0) == "done"
    assert outcomes() == ["failed", "succeeded"]


@pytest.mark.parametrize(
    ("owner", "name"), [(TriggerRun, "end_step"), (workflows, "settle"), (SendAttempt, "settle_sent")]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sync_that_dies_while_it_settles_a_mail_is_made_good_by_the_next_one(
    in_doubt: str, server: Server, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: str
) -> None:
    with monkeypatch.context() as patch:
        dying(patch, owner, name, is_after=when == "after")
        with pytest.raises(Killed):
            turns_up(server)
    Lease.objects.delete()
    email_sync.sync(str(EmailAccount.objects.get().id))
    assert (step().status, TriggerRun.objects.get().status, outcomes()[1:]) == ("done", "done", ["succeeded"])
    assert SendAttempt.objects.get().status == "sent"


@pytest.mark.parametrize(
    ("owner", "name", "when", "mails"),
    [
        (SendAttempt, "begin", "before", 1),
        (SendAttempt, "begin", "after", 0),
        (smtp, "send", "before", 0),
        (smtp, "send", "after", 1),
        (SendAttempt, "end", "after", 1),
        (TriggerRun, "end_step", "before", 1),
        (TriggerRun, "end_step", "after", 1),
    ],
)
def test_a_worker_that_dies_at_any_step_sends_at_most_one_mail(
    workspace: Workspace,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    when: str,
    mails: int,
) -> None:
    before, run_id = len(inbox(server)), answered(workspace)

    with monkeypatch.context() as patch:
        dying(patch, owner, name, is_after=when == "after")
        with pytest.raises(Killed):
            automation_step.run(run_id, 0)
    SendAttempt.objects.update(set__started_at=automations.store.now() - single_mail.LONGEST_TRY)
    for _ in range(2):
        automation_step.run(run_id, 0)
    assert len(inbox(server)) - before == mails
