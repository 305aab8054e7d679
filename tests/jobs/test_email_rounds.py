"""The frugal profile: the tick's job syncs the mailboxes itself, and none holds up the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException

import config
from bench.billing import Meter
from jobs import email_sync, mailbox_sync
from models import lease, store
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from queues.connection import redis
from services.mail import imap
from tests.jobs.mails import mail
from tests.services.mail.conftest import Account

pytestmark = pytest.mark.usefixtures("frugal")

AddAccount = Callable[..., EmailAccount]


def run() -> int:
    """A tick now; how many mailboxes got jobs of their own."""
    return email_sync.run(store.now().isoformat())


def jobs() -> list[str]:
    """The ids of the mailboxes that have jobs of their own."""
    return sorted(key.decode().split("-")[1] for key in redis().keys("rq:job:mailbox-*"))


@pytest.fixture
def mailboxes(dovecot_server: Any, add_account: AddAccount) -> list[EmailAccount]:
    """Three that were synced before, the first of them first in a round."""
    found = [add_account(Account(dovecot_server, f"user{n}@acme.test")) for n in (190, 191, 192)]
    for mailbox in found:
        assert email_sync.sync(str(mailbox.id))["outcome"] == "synced"
    return found


def synced_since(moment: Any) -> int:
    return int(EmailAccount.objects(synced_at__gt=moment).count())


def test_a_tick_with_idle_mailboxes_costs_no_command(mailboxes: list[EmailAccount]) -> None:
    begun, meter = store.now(), Meter(config.settings().redis_location)
    assert run() == 0
    assert meter.bill().by_command == {}
    assert synced_since(begun) == len(mailboxes)


@pytest.mark.parametrize("profile", ["standard", "frugal"])
def test_an_idle_sync_costs_no_command_in_either_profile(
    mailboxes: list[EmailAccount], monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setenv("QUEUE_PROFILE", profile)
    config.settings.cache_clear()
    meter = Meter(config.settings().redis_location)
    assert email_sync.sync(str(mailboxes[0].id))["outcome"] == "synced"
    assert meter.bill().by_command == {}


def test_new_mail_comes_in_with_the_tick_itself(mailboxes: list[EmailAccount], dovecot_server: Any) -> None:
    Account(dovecot_server, mailboxes[1].address).deliver(mail("To the second"))
    assert run() == 0
    assert EmailMessage.objects.get(subject="To the second").account_ids == [mailboxes[1].id]


def test_a_mailbox_that_is_new_or_failed_has_a_job_of_its_own(
    mailboxes: list[EmailAccount], dovecot_server: Any, add_account: AddAccount
) -> None:
    new = add_account(Account(dovecot_server, "user193@acme.test"))
    mailboxes[0].pause(store.now() - timedelta(hours=1), "it was away")
    assert run() == 2
    assert jobs() == sorted([str(new.id), str(mailboxes[0].id)])


def test_a_mailbox_whose_sync_was_killed_has_a_job_of_its_own(mailboxes: list[EmailAccount]) -> None:
    assert lease.Held(
        mailbox_sync.lease_of(mailboxes[0].id), timedelta(seconds=0)
    ).take()  # and never released
    begun = store.now()
    assert run() == 1
    assert jobs() == [str(mailboxes[0].id)]
    assert synced_since(begun) == 2
    assert email_sync.sync(str(mailboxes[0].id))["outcome"] == "synced"
    assert run() == 0


def test_a_mailbox_that_breaks_the_sync_does_not_hold_up_the_others(
    mailboxes: list[EmailAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun = mailbox_sync.sync, store.now()

    def break_on_first(account_id: str, *rest: Any) -> Any:
        if account_id == str(mailboxes[0].id):
            raise KeyError("a mistake of ours")
        return real(account_id, *rest)

    monkeypatch.setattr(mailbox_sync, "sync", break_on_first)
    assert run() == 1
    assert jobs() == [str(mailboxes[0].id)]
    assert synced_since(begun) == 2


def test_a_mailbox_that_uses_up_the_time_of_the_ticks_job_is_paused_and_the_retry_goes_on_without_it(
    mailboxes: list[EmailAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(_: Any) -> None:
        raise JobTimeoutException("the job ran longer than its limit")

    begun, tick = store.now(), store.now().isoformat()
    with monkeypatch.context() as patch:
        patch.setattr(imap.Mailbox, "folders", too_late)
        with pytest.raises(JobTimeoutException):
            email_sync.run(tick)
    assert email_sync.run(tick) == 0
    assert synced_since(begun) == 2
    assert mailboxes[0].reload().failures == 1


def test_what_a_round_has_no_time_for_has_jobs_of_its_own(
    mailboxes: list[EmailAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_sync, "ROUND", 0.0)
    assert run() == 3
    assert jobs() == sorted(str(mailbox.id) for mailbox in mailboxes)


def test_a_mailbox_with_much_mail_goes_on_in_a_job_of_its_own(
    mailboxes: list[EmailAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_sync, "BRIEF", mailbox_sync.Patience(0))
    assert run() == 3


def test_a_tick_that_is_run_again_syncs_nothing_again(mailboxes: list[EmailAccount]) -> None:
    tick = store.now().isoformat()
    email_sync.run(tick)
    first = set(EmailAccount.objects.scalar("synced_at"))
    assert email_sync.run(tick) == 0
    assert set(EmailAccount.objects.scalar("synced_at")) == first


def test_two_rounds_at_once_sync_each_mailbox_and_fail_in_none(mailboxes: list[EmailAccount]) -> None:
    begun = store.now()
    rounds = [threading.Thread(target=run) for _ in range(2)]
    for each in rounds:
        each.start()
    for each in rounds:
        each.join()
    assert synced_since(begun) == 3
    assert lease.Lease.objects.count() == 0
    assert set(EmailAccount.objects.scalar("failures")) == {0}


@contextmanager
def dripping() -> Iterator[int]:
    """A server that never comes to the end of its answer to the sign-in; its port."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(b"* OK good morning\r\n")
                tag = connection.recv(1_000).split()[0]
                connection.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
                while not over.wait(0.02):
                    connection.sendall(b"* OK still there\r\n")
            except OSError:
                pass  # hung up on

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_a_server_that_drips_is_hung_up_on_and_paused_and_the_others_are_synced(
    mailboxes: list[EmailAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_sync, "BRIEF", mailbox_sync.Patience(0.5, hang_up_after=0.5))
    begun, started = store.now(), time.monotonic()
    with dripping() as port:
        EmailAccount.objects(id=mailboxes[0].id).update_one(set__imap__port=port)
        run()
    assert time.monotonic() - started < 8
    assert synced_since(begun) == 2
    slow = mailboxes[0].reload()
    assert (slow.status, slow.failures) == ("active", 1)
    assert slow.id not in [mailbox.id for mailbox in EmailAccount.due(store.now(), limit=3)]
