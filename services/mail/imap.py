"""New mail out of an IMAP folder (RFC 3501), oldest first, in bounded batches, never marking it as read."""

import socket
import threading
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import imapclient
from imapclient.exceptions import IMAPClientError

from services.mail import folders, imap_errors
from services.mail.cursor import FolderCursor, FolderState
from services.mail.errors import MailboxUnavailable
from services.mail.settings import ImapSettings, Security

MAX_MESSAGE_BYTES = 50 * 1024 * 1024  # of a larger message only the headers are fetched
HEADER_BYTES = 1024 * 1024  # of these at most so many
BATCH_BYTES = 64 * 1024 * 1024  # what one batch may hold in memory; it is at least one message
TRIP_BYTES = 1024 * 1024  # small messages share a round trip up to this size
TRIP_MESSAGES = 50
RESYNC_DAYS = 30
RESYNC_MESSAGES = 1_000


@dataclass(frozen=True, slots=True)
class RawMessage:
    """`raw` holds only the headers when `is_truncated`. `size` is in bytes. `received_at` is in UTC."""

    uid: int
    raw: bytes
    size: int
    received_at: datetime | None
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """One batch, UIDs ascending. Store the messages, then the cursor; with `has_more`, call again with it.

    `resync`: the folder's UIDs changed their meaning, so the messages may be known already.
    """

    messages: tuple[RawMessage, ...]
    cursor: FolderCursor
    resync: bool
    has_more: bool


@contextmanager
def connect(settings: ImapSettings, *, hang_up_after: float | None = None) -> Iterator["Mailbox"]:
    """A signed-in connection. Raises the errors of `services.mail.errors`.

    With `hang_up_after`, so many seconds from the greeting on it breaks, amid whatever: `MailboxUnavailable`.
    """
    with imap_errors.translated(settings, "reach the server"):
        client = imapclient.IMAPClient(
            settings.host,
            settings.port,
            ssl=settings.security is Security.SSL,
            ssl_context=settings.tls() if settings.security is Security.SSL else None,
            timeout=settings.timeout,
        )
    try:
        with _hung_up_on(client, hang_up_after):
            _sign_in(client, settings)
            yield Mailbox(client, settings)
        # The work is done and stored; a server that hangs up instead of saying goodbye changes nothing.
        with suppress(IMAPClientError, OSError):
            client.logout()
    finally:
        with suppress(OSError):
            client.shutdown()


@contextmanager
def _hung_up_on(client: imapclient.IMAPClient, seconds: float | None) -> Iterator[None]:
    """The timeout of the settings is one of each answer; a server that drips makes it a long sum."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, _hang_up, [client])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(client: imapclient.IMAPClient) -> None:
    """From another thread than the one that reads, which then finds the stream at its end."""
    with suppress(OSError):  # it is broken already
        socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)  # TLS's own would drop its state first


def _sign_in(client: imapclient.IMAPClient, settings: ImapSettings) -> None:
    client.normalise_times = False  # aware times, not naive ones in this machine's zone
    with imap_errors.translated(settings, "sign in to the mailbox"):
        if settings.security is Security.STARTTLS:
            client.starttls(settings.tls())
        if f"{settings.username}{settings.password}".isascii() or not client.has_capability("AUTH=PLAIN"):
            client.login(settings.username, settings.password)
        else:
            client.plain_login(settings.username, settings.password)  # LOGIN holds ASCII only
        if client.has_capability("ENABLE") and client.has_capability("CONDSTORE"):
            client.enable("CONDSTORE")  # RFC 7162: folders then tell their HIGHESTMODSEQ


class Mailbox:
    """What a sync asks of a mailbox; made by `connect`."""

    def __init__(self, client: imapclient.IMAPClient, settings: ImapSettings) -> None:
        self._client = client
        self._settings = settings

    def folders(self) -> folders.Folders:
        """INBOX and the folder of sent mail."""
        with imap_errors.translated(self._settings, "list the folders"):
            return folders.choose(self._client.list_folders())

    def fetch_since(
        self,
        folder: str,
        cursor: FolderCursor | None,
        limit: int,
        *,
        now: datetime,
        max_bytes: int = MAX_MESSAGE_BYTES,
        skip: Container[tuple[int, int]] = (),
    ) -> Fetched:
        """What is new in a folder since `cursor`: at most `limit` messages, past `max_bytes` headers only.

        Without a cursor, or with one whose UIDs the server has given up: the newest 30 days, 1,000 messages.
        `skip` names messages to leave out, by UIDVALIDITY and UID: they failed again and again.

        A failed search or fetch is never "no mail": it raises MailboxUnavailable with the UIDs it asked for.
        """
        state = self._examine(folder)
        with _under(state.uid_validity):
            first_new = cursor.last_uid + 1 if cursor and state.continues(cursor) else None
            uids = self._search(folder, first_new, now)
            window = uids[:limit]
            wanted = [uid for uid in window if (state.uid_validity, uid) not in skip]
            sizes = self._sizes(folder, wanted)
            batch = _within(
                BATCH_BYTES, {uid: size if size <= max_bytes else 0 for uid, size in sizes.items()}
            )
            messages = self._messages(folder, batch, sizes, max_bytes)
            # What vanished meanwhile is covered, and what is left out.
            covered = window if len(batch) == len(sizes) else [uid for uid in window if uid <= batch[-1]]
            has_more = len(covered) < len(uids)
            last_uid = (
                covered[-1] if covered else first_new - 1 if first_new else self._last_uid(folder, state)
            )
            return Fetched(
                messages=messages,
                cursor=FolderCursor(state.uid_validity, last_uid, None if has_more else state.mod_seq),
                resync=cursor is not None and first_new is None,
                has_more=has_more,
            )

    def _examine(self, folder: str) -> FolderState:
        with imap_errors.translated(self._settings, f"open the folder {folder!r}", folder=folder):
            told = self._client.select_folder(folder, readonly=True)
        if not told.get(b"UIDVALIDITY"):
            raise MailboxUnavailable(
                f"{self._settings} opened {folder!r} without a UIDVALIDITY; it is tried again"
            )
        return FolderState(told[b"UIDVALIDITY"], told.get(b"UIDNEXT"), told.get(b"HIGHESTMODSEQ"))

    def _search(self, folder: str, first_new: int | None, now: datetime) -> list[int]:
        # One day more: SINCE goes by the date in the server's own time zone.
        since = (now - timedelta(days=RESYNC_DAYS + 1)).date()
        found = self._find(folder, ["SINCE", since] if first_new is None else ["UID", f"{first_new}:*"])
        if first_new is None:
            return found[-RESYNC_MESSAGES:]
        return [
            uid for uid in found if uid >= first_new
        ]  # `n:*` names the last message even when n is past it

    def _last_uid(self, folder: str, state: FolderState) -> int:
        return state.uid_next - 1 if state.uid_next else max(self._find(folder, ["UID", "*"]), default=0)

    def _find(self, folder: str, criteria: Sequence[object]) -> list[int]:
        with imap_errors.translated(self._settings, f"search the folder {folder!r}"):
            return sorted(set(self._client.search(criteria)))

    def _sizes(self, folder: str, uids: Sequence[int]) -> dict[int, int]:
        found = self._fetch(folder, uids, ["RFC822.SIZE"], b"RFC822.SIZE")
        return {uid: int(found[uid][b"RFC822.SIZE"]) for uid in uids if uid in found}

    def _messages(
        self, folder: str, uids: Sequence[int], sizes: Mapping[int, int], max_bytes: int
    ) -> tuple[RawMessage, ...]:
        small = {uid: sizes[uid] for uid in uids if sizes[uid] <= max_bytes}
        large = [uid for uid in uids if uid not in small]
        found: dict[int, RawMessage] = {}
        for trip in _trips(small):
            for uid, data in self._fetch(folder, trip, ["BODY.PEEK[]", "INTERNALDATE"], b"BODY[]").items():
                found[uid] = _raw(uid, data, b"BODY[]", sizes[uid], is_truncated=False)
        for uid in large:
            item, key = f"BODY.PEEK[HEADER]<0.{HEADER_BYTES}>", b"BODY[HEADER]<0>"
            for _, data in self._fetch(folder, [uid], [item, "INTERNALDATE"], key).items():
                found[uid] = _raw(uid, data, key, sizes[uid], is_truncated=True)
        return tuple(found[uid] for uid in uids if uid in found)

    def _fetch(
        self, folder: str, uids: Sequence[int], items: list[str], key: bytes
    ) -> dict[int, Mapping[bytes, Any]]:
        """Those that came with `key`. Whether the others were deleted meanwhile is asked."""
        if not uids:
            return {}
        with imap_errors.translated(self._settings, f"fetch mail from the folder {folder!r}", uids=uids):
            answered = self._client.fetch(uids, items)
        found = {uid: answered[uid] for uid in uids if answered.get(uid, {}).get(key) is not None}
        missing = [uid for uid in uids if uid not in found]
        if missing and (there := self._find(folder, ["UID", ",".join(map(str, missing))])):
            raise MailboxUnavailable(
                f"{self._settings} lists messages in {folder!r} but does not hand them out (UIDs "
                f"{there[:10]}); they are tried again, then left out",
                uids=tuple(there),
            )
        return found


@contextmanager
def _under(uid_validity: int) -> Iterator[None]:
    """An error names the UIDVALIDITY beside its UIDs: without it they mean nothing."""
    try:
        yield
    except MailboxUnavailable as error:
        error.uid_validity = uid_validity
        raise


def _raw(uid: int, data: Mapping[bytes, Any], key: bytes, size: int, *, is_truncated: bool) -> RawMessage:
    received = data.get(b"INTERNALDATE")
    received_at = received.astimezone(UTC) if isinstance(received, datetime) else None
    return RawMessage(uid, data[key], size, received_at, is_truncated)


def _within(budget: int, sizes: Mapping[int, int]) -> list[int]:
    """The first UIDs that fit into the budget together, and one at least."""
    kept: list[int] = []
    for uid, size in sizes.items():
        budget -= size
        if kept and budget < 0:
            break
        kept.append(uid)
    return kept


def _trips(sizes: Mapping[int, int]) -> Iterator[list[int]]:
    rest = dict(sizes)
    while rest:
        trip = _within(TRIP_BYTES, rest)[:TRIP_MESSAGES]
        yield trip
        for uid in trip:
            del rest[uid]
