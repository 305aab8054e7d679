"""The email-sync job against a real Dovecot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs import email_sync
from models import lease, store
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.event import EventRecord
from models.notification import Notification
from services.mail import imap
from services.mail.errors import MailboxUnavailable
from tests.jobs.conftest import OWNER, WORKSPACE
from tests.jobs.mails import SENT, bounce_of, mail
from tests.services.mail.conftest import Account

AddAccount = Callable[..., EmailAccount]
RunJobs = Callable[[], int]


def contact(email: str = "grace@navy.test") -> Contact:
    return Contact.upsert(WORKSPACE, email, {"first_name": "Grace"})[0]


def sync(account: EmailAccount) -> dict[str, Any]:
    return email_sync.sync(str(account.id))


def events() -> list[str]:
    return sorted(EventRecord.objects.scalar("type"))


def test_new_mail_is_stored_and_on_the_timeline_of_its_contact(
    account: Account, add_account: AddAccount, run_jobs: RunJobs
) -> None:
    grace = contact()
    deal = Deal(workspace_id=WORKSPACE, contact_ids=[grace.id], title="Compilers").save()
    mailbox = add_account(account)
    account.deliver(mail("Hello"), mail("Anyone?", sender="nobody@else.test"))

    assert sync(mailbox) == {"account_id": str(mailbox.id), "outcome": "synced", "fetched": 2, "new": 2}
    run_jobs()

    message = EmailMessage.objects.get(subject="Hello")
    assert (message.kind, message.sender, message.contact_ids) == ("new", "grace@navy.test", [grace.id])
    assert "Shall we talk?" in message.text
    entry = Activity.objects.get(contact_id=grace.id)
    assert (entry.kind, entry.title, entry.happened_at) == ("email_new", "E-mail received", SENT)
    assert Contact.objects.get(id=grace.id).last_activity_at == SENT
    assert Deal.objects.get(id=deal.id).last_activity_at == SENT
    assert events() == ["email.received", "email.received"]
    assert set(EventRecord.objects.scalar("status")) == {"done"}


def test_a_repeated_sync_stores_a_message_once(
    account: Account, add_account: AddAccount, run_jobs: RunJobs
) -> None:
    contact()
    mailbox = add_account(account)
    account.deliver(mail())
    assert sync(mailbox)["new"] == 1
    assert sync(mailbox) == {"account_id": str(mailbox.id), "outcome": "synced", "fetched": 0, "new": 0}
    account.deliver(mail())
    assert sync(mailbox)["new"] == 1
    run_jobs()
    assert EmailMessage.objects.count() == Activity.objects.count() == EventRecord.objects.count() == 2


def test_a_changed_uidvalidity_makes_no_second_copy_and_no_second_event(
    account: Account, add_account: AddAccount, run_jobs: RunJobs
) -> None:
    contact()
    mailbox = add_account(account)
    account.deliver(mail(message_id="one@navy.test"))
    sync(mailbox)
    account.server.change_uid_validity(account.user)
    account.deliver(mail(message_id="two@navy.test"))
    report = sync(mailbox)
    run_jobs()
    assert (report["fetched"], report["new"]) == (2, 1)
    assert EmailMessage.objects.count() == Activity.objects.count() == EventRecord.objects.count() == 2


def test_one_mail_in_two_mailboxes_is_one_message(
    dovecot_server: Any, add_account: AddAccount, account: Account
) -> None:
    other = Account(dovecot_server, "user199@acme.test")
    accounts = [add_account(account), add_account(other)]
    for mailbox in (account, other):
        mailbox.deliver(mail(message_id="both@navy.test"))
    assert [sync(one)["new"] for one in accounts] == [1, 0]
    assert EmailMessage.objects.get().account_ids == [one.id for one in accounts]
    assert EventRecord.objects.count() == 1


def test_an_answer_is_threaded_with_our_mail_and_names_it(account: Account, add_account: AddAccount) -> None:
    mailbox = add_account(account)
    ours = mail("Offer", sender=account.user, to="grace@navy.test", message_id="offer@acme.test")
    account.deliver(ours, folder="Gesendete Post")
    account.deliver(mail("Re: Offer", headers="In-Reply-To: <offer@acme.test>\r\n"))
    sync(mailbox)
    offer, answer = EmailMessage.objects.get(kind="own"), EmailMessage.objects.get(kind="reply")
    assert offer.thread_key == answer.thread_key
    event = EventRecord.objects.get()
    assert (event.type, event.payload["messageId"]) == ("email.replied", str(answer.id))


def test_an_answer_to_a_mail_of_an_earlier_sync_names_it(account: Account, add_account: AddAccount) -> None:
    mailbox = add_account(account)
    ours = mail("Offer", sender=account.user, to="grace@navy.test", message_id="earlier@acme.test")
    account.deliver(ours, folder="Gesendete Post")
    sync(mailbox)
    account.deliver(mail("Re: Offer", headers="References: <earlier@acme.test>\r\n"))
    sync(mailbox)
    event = EventRecord.objects.get()
    assert event.payload["inReplyTo"] == str(EmailMessage.objects.get(kind="own").id)


def test_a_bounce_names_its_recipient_and_our_mail(account: Account, add_account: AddAccount) -> None:
    lost = contact("lost@navy.test")
    mailbox = add_account(account)
    ours = mail("Offer", sender=account.user, to="lost@navy.test", message_id="lost-offer@acme.test")
    account.deliver(ours, folder="Gesendete Post")
    sync(mailbox)
    account.deliver(bounce_of("lost-offer@acme.test", "lost@navy.test"))
    sync(mailbox)
    event = EventRecord.objects.get(type="email.bounced")
    assert event.payload["recipients"] == ["lost@navy.test"]
    assert event.payload["isPermanent"] is True
    assert event.payload["contactId"] == str(lost.id)
    assert event.payload["original"] == str(EmailMessage.objects.get(kind="own").id)


def test_a_mail_that_cannot_be_parsed_is_stored_with_its_problems(
    account: Account, add_account: AddAccount
) -> None:
    mailbox = add_account(account)
    broken = (
        b"Content-Type: multipart/mixed\r\nSubject: =?nope?B?////?=\r\n\xff\xfe garbage\r\n\r\n\xff\x00\xfe"
    )
    account.deliver(broken.replace(b"\x00", b""), mail())
    assert sync(mailbox)["new"] == 2
    assert EmailMessage.objects(problems__ne=[]).count() == 1


def test_a_wrong_password_locks_the_mailbox_and_tells_its_owner_once(
    account: Account, add_account: AddAccount
) -> None:
    mailbox = add_account(account, password="not this")
    assert [sync(mailbox)["outcome"] for _ in range(3)] == ["locked", "not active", "not active"]
    assert EmailAccount.objects.get(id=mailbox.id).status == "locked"
    notice = Notification.objects.get()
    assert (notice.user_id, notice.kind) == (OWNER, "mailbox_locked")
    assert "not this" not in notice.message
    assert email_sync.run(store.now().isoformat()) == 0


def test_passwords_are_encrypted_at_rest(account: Account, add_account: AddAccount) -> None:
    add_account(account, password="plain as day")
    stored = EmailAccount._get_collection().find_one()
    assert "plain as day" not in str(stored)
    assert EmailAccount.objects.get().imap.password == "plain as day"


def test_a_mailbox_that_is_away_is_left_alone_for_longer_and_longer(
    account: Account, add_account: AddAccount
) -> None:
    mailbox = add_account(account)
    EmailAccount.objects.update(set__imap__port=1)
    pauses = []
    for _ in range(3):
        assert sync(mailbox)["outcome"] == "unavailable"
        pauses.append(round((mailbox.reload().next_sync_at - store.now()).total_seconds() / 60))
    assert pauses == [5, 10, 20]
    assert email_sync.run(store.now().isoformat()) == 0


def test_a_broken_mailbox_does_not_hold_up_the_others(
    account: Account, dovecot_server: Any, add_account: AddAccount, run_jobs: RunJobs
) -> None:
    broken = add_account(account)
    broken.imap.port = 1
    broken.save()
    add_account(Account(dovecot_server, "user198@acme.test"))
    Account(dovecot_server, "user198@acme.test").deliver(mail())
    assert email_sync.run(store.now().isoformat()) == 2
    run_jobs()
    assert EmailMessage.objects.count() == 1


def test_a_tick_that_is_run_twice_enqueues_each_mailbox_once(
    account: Account, add_account: AddAccount
) -> None:
    add_account(account)
    tick = store.now().isoformat()
    assert [email_sync.run(tick), email_sync.run(tick)] == [1, 0]


def test_a_second_sync_of_the_same_mailbox_stands_back(account: Account, add_account: AddAccount) -> None:
    mailbox = add_account(account)
    with lease.held(f"mailbox-{mailbox.id}", 60):
        assert sync(mailbox)["outcome"] == "busy"
    assert sync(mailbox)["outcome"] == "synced"


def test_a_message_that_breaks_every_fetch_is_left_out_and_the_rest_goes_on(
    account: Account, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = add_account(account)
    sync(mailbox)
    account.deliver(mail(), mail(), mail())
    real = imap.Mailbox._messages
    poison = 2

    def break_on_poison(self: Any, folder: str, uids: list[int], *rest: Any) -> Any:
        if folder == "INBOX" and poison in uids:
            raise MailboxUnavailable("the server hung up", uids=tuple(uids))
        return real(self, folder, uids, *rest)

    monkeypatch.setattr(imap.Mailbox, "_messages", break_on_poison)
    assert [sync(mailbox)["outcome"] for _ in range(5)] == ["unavailable"] * 4 + ["synced"]
    assert EmailMessage.objects.count() == 2
    assert Notification.objects.get().kind == "message_left_out"


def test_a_batch_costs_the_same_number_of_store_commands_whatever_its_size(
    account: Account, add_account: AddAccount, count_store_commands: Any
) -> None:
    contact()
    mailbox = add_account(account)
    sync(mailbox)
    counts = []
    for size in (2, 20):
        account.deliver(*(mail(f"Number {n}") for n in range(size)))
        with count_store_commands() as commands:
            sync(mailbox)
        counts.append(len(commands))
    assert counts[0] == counts[1]
