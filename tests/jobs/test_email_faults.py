"""What the email-sync job makes of crashes, of rivals, and of mail and servers that mean no good."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from jobs import email_announce, email_folder, email_intake, email_sync, mailbox_sync
from models import lease, store
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount, FolderPosition, MessagePlace
from models.email_message import EmailMessage
from models.event import EventRecord
from models.notification import Notification
from models.send_attempt import SendAttempt
from queues import dead_letters
from queues.connection import redis
from queues.job import Job
from services import logs, sentry
from services.mail import folders, imap
from services.mail.errors import MailboxFolderMissing
from tests.jobs.conftest import OWNER, WORKSPACE
from tests.jobs.mails import bounce_of, mail, outcome
from tests.killing import Killed, dying
from tests.services.mail.conftest import UMLAUT_PASSWORD, UMLAUT_USER, Account

AddAccount = Callable[..., EmailAccount]
RunJobs = Callable[[], int]

STEPS = [
    (EmailMessage, "related"),
    (EmailMessage, "store"),
    (SendAttempt, "in_doubt"),
    (Activity, "record_all"),
    (Contact, "touch"),
    (Deal, "touch"),
    (EventRecord, "accept"),
    (email_announce.events, "put_on_queue"),
    (EmailMessage, "mark_announced"),
    (EmailAccount, "advance"),
    (EmailAccount, "mark_synced"),
    (lease.Held, "renew"),
    (imap.Mailbox, "fetch_since"),
]
ONCE = ("in_doubt", "accept", "put_on_queue", "mark_synced")  # all others for each of the two folders


def sync(account: EmailAccount, tick: str | None = None) -> dict[str, Any]:
    return email_sync.sync(str(account.id), tick)


def moved_to_new_workspace(account: EmailAccount, like: EmailAccount) -> EmailAccount:
    """The same mailbox on the server, as a fresh account of another workspace."""
    workspace = ObjectId()
    grace = Contact.upsert(workspace, "grace@navy.test", {})[0]
    Deal(workspace_id=workspace, contact_ids=[grace.id], title="Compilers").save()
    return EmailAccount(
        workspace_id=workspace, user_id=like.user_id, address=like.address, imap=like.imap
    ).save()


@pytest.fixture
def lively(account: Account, add_account: AddAccount) -> EmailAccount:
    """A mailbox with a bit of everything."""
    mailbox = add_account(account)
    offer = mail("Offer", sender=account.user, to="grace@navy.test", message_id="offer@acme.test")
    account.deliver(offer, folder="Gesendete Post")
    account.deliver(
        mail("Re: Offer", message_id="yes@navy.test", headers="In-Reply-To: <offer@acme.test>\r\n"),
        mail("Fwd: News", message_id="news@navy.test"),
        mail("Hello", message_id="hello@navy.test", sender="stranger@else.test"),
        bounce_of("offer@acme.test", "grace@navy.test"),
    )
    return mailbox


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sync_that_dies_at_any_step_is_made_whole_by_the_next(
    lively: EmailAccount, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def disturbed(owner: Any, name: str, nth: int) -> dict[str, Any]:
        mailbox = moved_to_new_workspace(lively, lively)
        with monkeypatch.context() as patch:
            dying(patch, owner, name, nth, is_after=when == "after")
            with pytest.raises(Killed):
                sync(mailbox)
        assert sync(mailbox)["outcome"] == "synced"
        run_jobs()
        return outcome(mailbox.workspace_id)

    undisturbed = moved_to_new_workspace(lively, lively)
    sync(undisturbed)
    run_jobs()
    expected = outcome(undisturbed.workspace_id)
    assert [len(expected[part]) for part in ("messages", "events", "timeline")] == [5, 4, 4]
    for owner, name in STEPS:
        nth = 2 if when == "after" and name not in ONCE else 1
        assert disturbed(owner, name, nth) == expected, f"died {when} call {nth} of {name}"


def at_once(*mailboxes: EmailAccount) -> list[str]:
    """Sync on one thread each; the outcomes."""
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda m=m: outcomes.append(sync(m)["outcome"])) for m in mailboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_of_two_syncs_of_a_mailbox_at_once_one_stands_back(lively: EmailAccount, run_jobs: RunJobs) -> None:
    assert at_once(*[lively] * 4) in (["busy"] * n + ["synced"] * (4 - n) for n in (1, 2, 3))
    run_jobs()
    assert (EmailMessage.objects.count(), EventRecord.objects.count()) == (5, 4)


def test_two_mailboxes_that_hold_the_same_mail_store_it_once_at_once(
    dovecot_server: Any, account: Account, add_account: AddAccount
) -> None:
    other = Account(dovecot_server, "user197@acme.test")
    batch = [mail(f"Number {n}") for n in range(20)]
    for holder in (account, other):
        holder.deliver(*batch)
    mailboxes = [add_account(account), add_account(other)]
    assert at_once(*mailboxes) == ["synced", "synced"]
    assert (EmailMessage.objects.count(), EventRecord.objects.count()) == (20, 20)
    assert {frozenset(m.account_ids) for m in EmailMessage.objects} == {frozenset(m.id for m in mailboxes)}


def test_a_sync_whose_lease_lapsed_stops_and_nothing_is_done_twice(
    lively: EmailAccount, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, slow = (moved_to_new_workspace(lively, lively) for _ in range(2))
    sync(undisturbed)
    real = email_intake.take_in

    def overtaken(*args: Any) -> int:
        monkeypatch.setattr(email_intake, "take_in", real)
        lease.Lease.objects(id=f"mailbox-{slow.id}").update_one(set__until=store.now())
        assert sync(slow)["outcome"] == "synced"
        return real(*args)

    monkeypatch.setattr(email_intake, "take_in", overtaken)
    with pytest.raises(lease.LeaseLost):
        sync(slow)
    run_jobs()
    assert outcome(slow.workspace_id) == outcome(undisturbed.workspace_id)


def test_what_is_left_out_under_an_old_uidvalidity_hides_nothing_under_the_new_one(
    account: Account, add_account: AddAccount
) -> None:
    mailbox = add_account(account)
    account.deliver(mail("One"), mail("Two"))
    sync(mailbox)
    validity = mailbox.reload().position("INBOX").uid_validity
    for _ in range(3):
        mailbox.note_failure(MessagePlace(folder="INBOX", uid_validity=validity, uid=3))
    account.server.change_uid_validity(account.user)
    account.deliver(mail("Three"))
    sync(mailbox)
    assert EmailMessage.objects(subject="Three").count() == 1


def test_a_sent_folder_that_vanishes_does_not_hold_up_the_inbox(
    lively: EmailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap.Mailbox, "folders", lambda _self: folders.Folders("INBOX", "Renamed"))
    assert sync(lively)["outcome"] == "synced"
    assert EmailMessage.objects.count() == 4


def test_a_sent_folder_that_appears_later_is_read(
    lively: EmailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(imap.Mailbox, "folders", lambda _self: folders.Folders("INBOX", None))
        assert sync(lively)["new"] == 4
    assert sync(lively)["new"] == 1


def test_an_inbox_that_is_missing_pauses_the_mailbox(
    lively: EmailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise MailboxFolderMissing("no INBOX")

    monkeypatch.setattr(imap.Mailbox, "fetch_since", missing)
    assert sync(lively)["outcome"] == "unavailable"
    assert email_sync.run(store.now().isoformat()) == 0


def test_a_position_that_makes_no_sense_is_dropped_and_the_folder_read_anew(lively: EmailAccount) -> None:
    sync(lively)
    lively.reload()
    nonsense = FolderPosition(name="INBOX", uid_validity=0, last_uid=2**40)
    assert lively.advance(nonsense)
    assert sync(lively) | {"account_id": ""} == {
        "account_id": "",
        "outcome": "synced",
        "fetched": 4,
        "new": 0,
    }


def test_a_bounce_that_comes_with_the_mail_it_is_about_names_it(lively: EmailAccount) -> None:
    sync(lively)
    event = EventRecord.objects.get(type="email.bounced")
    assert event.payload["original"] == str(EmailMessage.objects.get(kind="own").id)


def test_what_was_stored_untold_and_then_moved_away_is_told_by_the_next_sync(
    account: Account, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = add_account(account)
    account.deliver(mail())
    with monkeypatch.context() as patch:
        patch.setattr(email_announce, "announce", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            sync(mailbox)
    account.server.delete(account.user, 1)
    sync(mailbox)
    assert EventRecord.objects.get().type == "email.received"
    assert EmailMessage.objects(unannounced=True).count() == 0


def test_an_attempt_to_send_that_is_in_doubt_is_settled_when_its_mail_is_in_sent(
    account: Account, add_account: AddAccount
) -> None:
    mailbox = add_account(account)
    known = {"contact_id": ObjectId(), "account_id": mailbox.id, "workspace_id": mailbox.workspace_id}
    for key in ("seen", "unseen"):
        attempt = SendAttempt.begin(key, message_id=f"{key}@acme.test", **known)
        assert attempt
        attempt.end("unknown", "the connection broke")
    account.deliver(mail(sender=account.user, message_id="seen@acme.test"), folder="Gesendete Post")
    sync(mailbox)
    assert dict(SendAttempt.objects.scalar("key", "status")) == {"seen": "sent", "unseen": "unknown"}


def test_a_message_that_breaks_the_intake_holds_up_only_what_comes_after_it_and_is_left_out_in_the_end(
    account: Account, add_account: AddAccount, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = add_account(account)
    account.deliver(mail("One"), mail("Poison"), mail("Three"))
    real = email_intake.parse

    def break_on_poison(raw: bytes, **options: Any) -> Any:
        if b"Subject: Poison" in raw:
            raise KeyError("its contents: Shall we talk?")
        return real(raw, **options)

    monkeypatch.setattr(email_intake, "parse", break_on_poison)
    reports: list[tuple[str, str]] = []
    monkeypatch.setattr(sentry, "capture", lambda error, **tags: reports.append((repr(error), tags["queue"])))
    assert sync(mailbox)["outcome"] == "unavailable"
    assert reports == [("KeyError()", "email-sync")]  # the place is in the traceback, the contents nowhere
    assert "KeyError in test_email_faults.py" in mailbox.reload().status_reason
    assert EmailMessage.objects.get().subject == "One"
    assert [sync(mailbox)["outcome"] for _ in range(3)] == ["unavailable", "synced", "synced"]
    assert sorted(EmailMessage.objects.scalar("subject")) == ["One", "Three"]
    assert Notification.objects.get().kind == "message_left_out"
    assert (mailbox.reload().failures, mailbox.left_out[0].uid) == (0, 2)


def test_another_mail_under_a_known_message_id_is_not_hidden(
    account: Account, add_account: AddAccount
) -> None:
    mailbox = add_account(account)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    account.deliver(
        mail("Form 1", message_id="form@printer.test"),
        mail("Form 2", message_id="form@printer.test", date=yesterday),
    )
    assert sync(mailbox)["new"] == 2
    account.server.change_uid_validity(account.user)
    assert sync(mailbox)["new"] == 0
    assert sorted(EmailMessage.objects.scalar("subject")) == ["Form 1", "Form 2"]
    assert EventRecord.objects.count() == 2


def test_a_mail_dated_in_the_future_stays_one_mail(account: Account, add_account: AddAccount) -> None:
    mailbox = add_account(account)
    account.deliver(mail(date=datetime(2090, 1, 1, tzinfo=UTC)), mail(date=datetime(1985, 1, 1, tzinfo=UTC)))
    sync(mailbox)
    account.server.change_uid_validity(account.user)
    assert sync(mailbox)["new"] == 0
    assert max(EmailMessage.objects.scalar("sent_at")) <= store.now()


def test_no_password_and_no_message_is_in_a_log_line_even_when_debugging(
    account: Account, add_account: AddAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox = add_account(account)
    umlauts = Account(account.server, UMLAUT_USER)  # its password takes another way, SASL PLAIN
    account.deliver(mail(body="the merger is off"))
    before = logging.getLogger().handlers, logging.getLogger().level
    logs.configure("json", "DEBUG")
    try:
        sync(mailbox)
        sync(add_account(umlauts, password=UMLAUT_PASSWORD))
    finally:
        logging.basicConfig(handlers=before[0], level=before[1], force=True)
    lines = capsys.readouterr().err
    assert "Synced 1 new emails" in lines
    secret = base64.b64encode(f"\0{UMLAUT_USER}\0{UMLAUT_PASSWORD}".encode()).decode()
    for word in ("merger", "sesame", UMLAUT_PASSWORD, secret):
        assert word not in lines


@pytest.mark.parametrize(
    "odd",
    [
        mail(""),
        mail("x" * 1_000_000),
        mail("lone =?utf-8?b?7aCA?= surrogate"),
        mail("\udcff".encode("utf-8", "surrogateescape").decode("latin-1")),
        mail(body="nul \x01 \udcff".encode("utf-8", "surrogatepass").decode("latin-1")),
        mail(sender="$where@navy.test", message_id="$set.a\\b@navy.test"),
        mail(to=", ".join(f"p{n}@navy.test" for n in range(3_000))),
        mail(body="\U0001f600" * 2_000_000, headers="Content-Type: text/plain; charset=utf-8\r\n"),
        mail(headers="Date: Mon, 99 Foo 0000 99:99:99 +9999\r\n"),
        b"\r\n",
        b"\xff" * 1_000,
    ],
    ids=[
        "empty",
        "huge",
        "surrogate",
        "8-bit",
        "body",
        "operators",
        "crowd",
        "book",
        "date",
        "nothing",
        "ff",
    ],
)
def test_odd_mail_is_stored(account: Account, add_account: AddAccount, odd: bytes) -> None:
    mailbox = add_account(account)
    account.deliver(odd, mail("Next"))
    assert sync(mailbox)["new"] == 2
    assert EmailMessage.objects(subject="Next").count() == 1


def test_a_sync_that_takes_too_long_goes_on_at_the_next_tick(
    account: Account, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = add_account(account)
    sync(mailbox)
    account.deliver(*(mail(f"Number {n}") for n in range(5)))
    monkeypatch.setattr(email_folder, "BATCH", 2)
    report = mailbox_sync.sync(str(mailbox.id), patience=mailbox_sync.Patience(0))
    assert report.outcome == "more to come"
    assert email_sync.run(store.now().isoformat()) == 1
    assert sync(mailbox)["outcome"] == "synced"
    assert EmailMessage.objects.count() == 5


def test_a_tick_costs_the_same_however_many_mailboxes_and_contacts_there_are(
    account: Account, add_account: AddAccount, count_store_commands: Any
) -> None:
    mailbox = add_account(account)
    sync(mailbox)
    counts = []
    for number in (1, 10, 100):
        for n in range(number):
            other = f"p{number}-{n}@navy.test"
            Contact.upsert(WORKSPACE, other, {})
            EmailAccount(
                workspace_id=ObjectId(), user_id=OWNER, address=f"{number}-{n}@acme.test", imap=mailbox.imap
            ).save()
        account.deliver(*(mail(f"Offer {n}", sender=f"p{number}-{n}@navy.test") for n in range(5)))
        with count_store_commands() as commands:
            email_sync.run((store.now() + timedelta(minutes=number)).isoformat())
            sync(mailbox)
        counts.append(len(commands) - commands.count("getMore"))  # pages of the list of mailboxes
    assert counts[0] == counts[1] == counts[2]


def test_the_jobs_of_a_mailbox_name_its_workspace(lively: EmailAccount) -> None:
    grace = Contact.upsert(WORKSPACE, "grace@navy.test", {})[0]
    assert email_sync.run(store.now().isoformat()) == 1
    sync(lively)
    jobs = [Job.fetch(key.decode()[7:], connection=redis()) for key in redis().keys("rq:job:*")]
    assert {job.meta["workspace_id"] for job in jobs} == {str(WORKSPACE)}
    assert [entry.contact_id for entry in Activity.objects(workspace_id=WORKSPACE)] == [grace.id] * 4


def test_jobs_that_waited_while_their_mailbox_was_synced_do_nothing(lively: EmailAccount) -> None:
    tick = store.now().isoformat()
    assert [sync(lively, tick)["outcome"] for _ in range(2)] == ["synced", "not due"]
    assert sync(lively, store.now().isoformat())["outcome"] == "synced"


def test_a_mailbox_that_is_away_leaves_no_dead_letters_and_its_owner_is_told_once(
    account: Account, add_account: AddAccount, run_jobs: RunJobs
) -> None:
    mailbox = add_account(account)
    EmailAccount.objects.update(set__imap__port=1)
    for hour in range(7):
        EmailAccount.objects.update(set__next_sync_at=store.now())
        email_sync.run((store.now() + timedelta(hours=hour)).isoformat())
        run_jobs()
    assert mailbox.reload().failures == 7
    assert dead_letters.count() == 0
    assert Notification.objects.get().kind == "mailbox_unavailable"


def test_a_password_that_cannot_be_decrypted_pauses_the_mailbox_until_its_key_is_back(
    lively: EmailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import fields

    with monkeypatch.context() as patch:
        patch.setattr(
            fields, "_cipher", lambda: fields.MultiFernet([fields.Fernet(fields.Fernet.generate_key())])
        )
        assert sync(lively)["outcome"] == "unavailable"
    assert "ENCRYPTION_KEYS" in lively.reload().status_reason
    assert sync(lively)["outcome"] == "synced"
    assert lively.reload().status_reason is None


def test_a_lock_that_died_before_it_was_stored_is_told_of_once(
    account: Account, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = add_account(account, password="not this")
    with monkeypatch.context() as patch:
        patch.setattr(EmailAccount, "lock", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            sync(mailbox)
    assert sync(mailbox)["outcome"] == "locked"
    assert Notification.objects.count() == 1
    assert mailbox.reload().unlock()
    assert sync(mailbox)["outcome"] == "locked"
    assert Notification.objects.count() == 2
