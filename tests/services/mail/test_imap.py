"""Against a real Dovecot."""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import imapclient
import pytest

from sandbox import dovecot
from sandbox.dovecot import Dovecot
from sandbox.process import free_port
from services.mail import imap
from services.mail.cursor import FolderCursor
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxCursorInvalid,
    MailboxFolderMissing,
    MailboxMisconfigured,
    MailboxUnavailable,
)
from services.mail.folders import Folders
from services.mail.settings import ImapSettings, Security
from tests.services.mail import mails
from tests.services.mail.conftest import PASSWORD, UMLAUT_PASSWORD, UMLAUT_USER, Account
from tests.services.mail.cutting_proxy import cut_after


def fetch(
    account: Account, cursor: FolderCursor | None = None, limit: int = 100, **options: object
) -> imap.Fetched:
    now = datetime.now(UTC)
    with imap.connect(account.settings) as mailbox:
        return mailbox.fetch_since("INBOX", cursor, limit, now=now, **options)  # type: ignore[arg-type]


def bodies(fetched: imap.Fetched) -> list[bytes]:
    return [message.raw for message in fetched.messages]


def test_a_first_sync_fetches_the_bytes_that_were_delivered(account: Account) -> None:
    strange = b"From: \xff\r\nSubject: 8-bit \xe9\r\n\r\nbody \xf0\x9f\x98\x80\r\n"
    account.deliver(mails.raw("One"), strange)
    fetched = fetch(account)
    assert bodies(fetched) == [mails.raw("One"), strange]
    first = fetched.messages[0]
    assert (first.uid, first.size, first.is_truncated) == (1, len(mails.raw("One")), False)
    assert first.received_at is not None
    assert abs(datetime.now(UTC) - first.received_at) < timedelta(minutes=1)
    assert (fetched.resync, fetched.has_more) == (False, False)


def test_the_next_sync_fetches_only_new_mail(account: Account) -> None:
    account.deliver(mails.raw("One"))
    cursor = fetch(account).cursor
    nothing = fetch(account, cursor)
    assert (nothing.messages, nothing.cursor.last_uid) == ((), cursor.last_uid)
    account.deliver(mails.raw("Two"))
    assert bodies(fetch(account, nothing.cursor)) == [mails.raw("Two")]


def test_an_empty_folder_has_a_cursor_that_misses_nothing(account: Account) -> None:
    empty = fetch(account)
    assert (empty.messages, empty.cursor.last_uid) == ((), 0)
    account.deliver(mails.raw("One"))
    assert bodies(fetch(account, empty.cursor)) == [mails.raw("One")]


def test_a_deleted_last_message_does_not_bring_the_one_before_it_again(account: Account) -> None:
    account.deliver(mails.raw("One"), mails.raw("Two"))
    cursor = fetch(account).cursor
    account.server.delete(account.user, 2)
    after = fetch(account, cursor)
    assert (after.messages, after.cursor.last_uid, after.resync) == ((), 2, False)


def test_batches_go_on_where_the_last_one_ended(account: Account) -> None:
    account.deliver(*(mails.raw(f"Number {number}") for number in range(5)))
    cursor, seen, more = None, [], True
    while more:
        fetched = fetch(account, cursor, limit=2)
        assert len(fetched.messages) <= 2
        seen += bodies(fetched)
        cursor, more = fetched.cursor, fetched.has_more
    assert seen == [mails.raw(f"Number {number}") for number in range(5)]


def test_a_batch_ends_when_it_fills_the_memory_it_may_use(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.deliver(*(mails.raw(f"Number {number}", "x" * 500) for number in range(4)))
    monkeypatch.setattr(imap, "BATCH_BYTES", 1_500)
    first = fetch(account)
    assert ([message.uid for message in first.messages], first.has_more) == ([1, 2], True)
    monkeypatch.setattr(imap, "BATCH_BYTES", 1)
    second = fetch(account, first.cursor)
    assert ([message.uid for message in second.messages], second.has_more) == ([3], True)


def test_fetching_leaves_mail_unread(account: Account) -> None:
    account.deliver(mails.raw("One"))
    fetch(account)
    assert b"\\Seen" not in account.server.flags(account.user, 1)


def test_of_a_message_over_the_limit_only_the_headers_are_fetched(account: Account) -> None:
    large = mails.raw("Large", "x" * 5_000)
    account.deliver(mails.raw("Small"), large, mails.raw("Last"))
    small, truncated, last = fetch(account, max_bytes=2_000).messages
    assert (truncated.is_truncated, truncated.size) == (True, len(large))
    assert truncated.raw == large.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert (small.raw, last.raw) == (mails.raw("Small"), mails.raw("Last"))


def test_a_changed_uid_validity_is_a_resync(account: Account) -> None:
    account.deliver(mails.raw("One"), mails.raw("Two"))
    account.server.delete(account.user, 1)
    before = fetch(account)
    account.server.change_uid_validity(account.user)
    after = fetch(account, before.cursor)
    assert after.resync
    assert bodies(after) == [mails.raw("Two")]
    assert after.cursor.uid_validity != before.cursor.uid_validity
    assert fetch(account, after.cursor).messages == ()
    assert not fetch(account, after.cursor).resync


def test_uids_that_ran_backwards_are_a_resync(account: Account) -> None:
    account.deliver(mails.raw("One"))
    cursor = fetch(account).cursor
    restored = fetch(account, replace(cursor, last_uid=500))
    assert restored.resync
    assert bodies(restored) == [mails.raw("One")]


def test_a_resync_is_bounded_by_age_and_number(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=90)
    with account.server.client(account.user) as client:
        client.append("INBOX", mails.raw("Old"), (), long_ago)
    account.deliver(*(mails.raw(f"Number {number}") for number in range(4)))
    assert [message.uid for message in fetch(account).messages] == [2, 3, 4, 5]
    monkeypatch.setattr(imap, "RESYNC_MESSAGES", 3)
    assert [message.uid for message in fetch(account).messages] == [3, 4, 5]


def test_old_mail_alone_is_skipped_for_good(account: Account) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=90)
    with account.server.client(account.user) as client:
        client.append("INBOX", mails.raw("Old"), (), long_ago)
    first = fetch(account)
    assert (first.messages, first.cursor.last_uid) == ((), 1)
    assert fetch(account, first.cursor).messages == ()


def test_messages_to_skip_are_left_out_and_passed(account: Account) -> None:
    account.deliver(mails.raw("One"), mails.raw("Poison"), mails.raw("Three"))
    validity = fetch(account).cursor.uid_validity
    fetched = fetch(account, skip={(validity, 2), (validity + 1, 3)})
    assert [message.uid for message in fetched.messages] == [1, 3]
    assert fetched.cursor.last_uid == 3


def test_not_even_the_size_of_a_message_to_skip_is_asked_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.deliver(mails.raw("One"), mails.raw("Poison"))
    validity = fetch(account).cursor.uid_validity
    real = imapclient.IMAPClient.fetch

    def hang_up(self: imapclient.IMAPClient, uids: list[int], *rest: object) -> object:
        if 2 in uids:
            raise OSError("the server hung up")
        return real(self, uids, *rest)

    monkeypatch.setattr(imapclient.IMAPClient, "fetch", hang_up)
    with pytest.raises(MailboxUnavailable) as caught:
        fetch(account)
    assert (caught.value.uids, caught.value.uid_validity) == ((1, 2), validity)
    fetched = fetch(account, skip={(validity, 2)})
    assert [message.uid for message in fetched.messages] == [1]
    assert fetched.cursor.last_uid == 2


def test_the_modification_sequence_is_kept_where_offered(account: Account) -> None:
    account.deliver(mails.raw("One"))
    first = fetch(account).cursor
    account.deliver(mails.raw("Two"))
    second = fetch(account, first).cursor
    assert first.mod_seq is not None
    assert second.mod_seq is not None
    assert second.mod_seq > first.mod_seq


def test_a_wrong_password_is_permanent_and_never_told(account: Account) -> None:
    wrong = replace(account.settings, password="hunter2hunter2")
    with pytest.raises(MailboxAuthFailed) as caught, imap.connect(wrong):
        pass
    assert caught.value.permanent
    assert account.user in str(caught.value)
    assert "enter its password again" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(wrong)


def test_a_server_that_is_away_is_transient(account: Account) -> None:
    away = replace(account.settings, port=free_port())
    with pytest.raises(MailboxUnavailable) as caught, imap.connect(away):
        pass
    assert not caught.value.permanent


@pytest.mark.parametrize("size", [10, 300, 700, 1_500, 60_000])
def test_a_server_that_goes_away_is_never_no_mail(account: Account, size: int) -> None:
    account.deliver(*(mails.raw(f"Number {number}", "x" * 50_000) for number in range(3)))
    with cut_after(account.server.port, size) as port:
        settings = replace(account.settings, port=port)
        with pytest.raises(MailboxUnavailable), imap.connect(settings) as mailbox:
            mailbox.fetch_since("INBOX", None, 10, now=datetime.now(UTC))


def test_a_break_in_the_middle_of_a_message_names_its_uids(account: Account) -> None:
    account.deliver(mails.raw("One", "x" * 50_000))
    with cut_after(account.server.port, 30_000) as port:
        settings = replace(account.settings, port=port)
        with pytest.raises(MailboxUnavailable) as caught, imap.connect(settings) as mailbox:
            mailbox.fetch_since("INBOX", None, 10, now=datetime.now(UTC))
    assert caught.value.uids == (1,)


def test_a_server_that_stays_silent_is_unavailable_after_the_timeout(account: Account) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = replace(account.settings, port=mute.getsockname()[1], timeout=0.3)
        with pytest.raises(MailboxUnavailable, match="timed out"), imap.connect(settings):
            pass


def test_a_missing_folder_is_said_so(account: Account) -> None:
    with (
        imap.connect(account.settings) as mailbox,
        pytest.raises(MailboxFolderMissing, match="renamed or deleted"),
    ):
        mailbox.fetch_since("Archive/2020", None, 10, now=datetime.now(UTC))


def test_the_folders_are_the_inbox_and_what_the_server_marks_as_sent(account: Account) -> None:
    with imap.connect(account.settings) as mailbox:
        assert mailbox.folders() == Folders("INBOX", "Gesendete Post")


def test_the_sent_folder_is_read_as_well(account: Account) -> None:
    account.deliver(mails.raw("Mine"), folder="Gesendete Post")
    with imap.connect(account.settings) as mailbox:
        sent = mailbox.folders().sent
        assert sent
        fetched = mailbox.fetch_since(sent, None, 10, now=datetime.now(UTC))
    assert bodies(fetched) == [mails.raw("Mine")]


@pytest.mark.parametrize("security", [Security.SSL, Security.STARTTLS])
def test_both_kinds_of_encryption_work_and_check_the_certificate(
    account: Account, security: Security
) -> None:
    server = account.server
    port = server.tls_port if security is Security.SSL else server.port
    settings = replace(account.settings, port=port, security=security)
    with imap.connect(replace(settings, ca_file=str(server.ca_file))) as mailbox:
        assert mailbox.folders().inbox == "INBOX"
    with pytest.raises(MailboxUnavailable, match="certificate is not trusted"), imap.connect(settings):
        pass


def test_a_password_beyond_ascii_signs_in(account: Account) -> None:
    settings = replace(account.settings, username=UMLAUT_USER, password=UMLAUT_PASSWORD)
    with imap.connect(settings) as mailbox:
        assert mailbox.folders().inbox == "INBOX"


@pytest.mark.parametrize(("uid_validity", "last_uid"), [(0, 1), (2**32, 1), (1, -1), (1, 2**32)])
def test_a_cursor_that_is_none_is_refused(uid_validity: int, last_uid: int) -> None:
    with pytest.raises(MailboxCursorInvalid):
        FolderCursor(uid_validity, last_uid)


def test_a_line_break_in_the_settings_is_refused_before_any_command() -> None:
    with pytest.raises(MailboxMisconfigured, match="password holds a control character"):
        ImapSettings("127.0.0.1", 143, "a@b.example", "x\r\nA1 DELETE INBOX")


def test_a_dovecot_that_was_stopped_serves_the_same_mail_again() -> None:
    if not dovecot.is_installed():
        pytest.skip("dovecot-imapd is not installed")
    server = Dovecot({"a@acme.test": PASSWORD})
    try:
        server.start()
        account = Account(server, "a@acme.test")
        account.deliver(mails.raw("One"))
        cursor = fetch(account).cursor
        server.stop()
        with pytest.raises(MailboxUnavailable):
            fetch(account, cursor)
        server.start()
        account.deliver(mails.raw("Two"))
        assert bodies(fetch(account, cursor)) == [mails.raw("Two")]
    finally:
        server.remove()
