"""A small IMAP4rev1 server (RFC 3501) for mail clients that read: sign in, list, open, search, fetch, append.

Written after trying pymap 0.36: with a maildir it rewrites messages (line ends, header folding), gave one
message two UIDs under concurrent delivery, and marks no folder as \\Sent. Ours serves the bytes that came.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

from sandbox import imap_syntax
from sandbox.mail_store import FOLDERS, Folder, MailStore

CAPABILITIES = "IMAP4rev1 LITERAL+ UIDPLUS SPECIAL-USE"
LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
LITERAL_LIMIT = 100 * 1024 * 1024  # bytes


class No(Exception):
    """Understood and refused; answered with NO."""


class Session:
    """One connection."""

    def __init__(self, store: MailStore, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._store, self._reader, self._writer = store, reader, writer
        self._user = ""
        self._folder: Folder | None = None
        self._literals: list[bytes] = []

    async def serve(self) -> None:
        self._say(f"* OK [CAPABILITY {CAPABILITIES}] the sandbox's mail")
        while line := await self._command():
            tag, _, rest = line.partition(" ")
            name, _, arguments = rest.partition(" ")
            uid, name = name.upper() == "UID", name.upper()
            if uid:
                name, _, arguments = arguments.partition(" ")
                name = "UID " + name.upper()
            self._say(f"{tag} {self._answer(name, arguments)}")
            await self._writer.drain()
            if name == "LOGOUT":
                return

    async def _command(self) -> str:
        """One command with its literals replaced by `"\\x00<index>"`, which no client sends."""
        self._literals, line = [], b""
        while True:
            line += (await self._reader.readline()).rstrip(b"\r\n")
            literal = LITERAL.search(line)
            if literal is None:
                return line.decode("utf-8", "replace")
            if int(literal[1]) > LITERAL_LIMIT:
                return "* BAD literal too large"
            if not literal[2]:
                self._say("+ go on")
                await self._writer.drain()
            self._literals.append(await self._reader.readexactly(int(literal[1])))
            line = line[: literal.start()] + b'"\x00%d"' % (len(self._literals) - 1)

    def _answer(self, name: str, arguments: str) -> str:
        action: Callable[[str], str] | None = {
            "CAPABILITY": self._capability,
            "NOOP": self._nothing,
            "CHECK": self._nothing,
            "LOGOUT": self._logout,
            "LOGIN": self._login,
            "LIST": self._list,
            "STATUS": self._status,
            "SELECT": self._select,
            "EXAMINE": self._select,
            "CLOSE": self._nothing,
            "APPEND": self._append,
            "UID SEARCH": self._search,
            "UID FETCH": self._fetch,
        }.get(name)
        try:
            if action is None:
                raise imap_syntax.Bad(f"unknown command {name[:40]}")
            if not self._user and name not in ("CAPABILITY", "NOOP", "LOGOUT", "LOGIN"):
                raise imap_syntax.Bad("sign in first")
            return f"OK {action(arguments)}"
        except No as refusal:
            return f"NO {refusal}"
        except (imap_syntax.Bad, ValueError, IndexError, StopIteration) as mistake:
            return f"BAD {mistake}"

    def _capability(self, _: str) -> str:
        self._say(f"* CAPABILITY {CAPABILITIES}")
        return "done"

    def _nothing(self, _: str) -> str:
        if self._folder:
            self._say(f"* {len(self._folder.uids())} EXISTS")
        return "done"

    def _logout(self, _: str) -> str:
        self._say("* BYE")
        return "done"

    def _login(self, arguments: str) -> str:
        user, password = imap_syntax.words(arguments, self._literals)[:2]
        if not self._store.accepts(user, password):
            raise No("[AUTHENTICATIONFAILED] wrong user or password")
        self._user = user.lower()
        return f"[CAPABILITY {CAPABILITIES}] signed in"

    def _list(self, _: str) -> str:
        for name, use in FOLDERS.items():
            self._say(f'* LIST (\\HasNoChildren{" " + use if use else ""}) "/" "{name}"')
        return "done"

    def _status(self, arguments: str) -> str:
        name = imap_syntax.words(arguments, self._literals)[0]
        folder = self._open(name)
        self._say(
            f'* STATUS "{name}" (MESSAGES {len(folder.uids())} UIDNEXT {folder.uid_next} '
            f"UIDVALIDITY {folder.uid_validity})"
        )
        return "done"

    def _select(self, arguments: str) -> str:
        self._folder = folder = self._open(imap_syntax.words(arguments, self._literals)[0])
        self._say(f"* {len(folder.uids())} EXISTS")
        self._say("* 0 RECENT")
        self._say("* FLAGS (\\Seen)")
        self._say(f"* OK [UIDVALIDITY {folder.uid_validity}]")
        self._say(f"* OK [UIDNEXT {folder.uid_next}]")
        return "[READ-ONLY] opened"

    def _append(self, arguments: str) -> str:
        folder = self._open(imap_syntax.words(arguments, self._literals)[0])
        if not self._literals:
            raise imap_syntax.Bad("APPEND needs a message")
        uid = folder.append(self._literals[-1])
        return f"[APPENDUID {folder.uid_validity} {uid}] stored"

    def _search(self, arguments: str) -> str:
        folder = self._selected()
        found = set(folder.uids())
        keys = iter(imap_syntax.words(arguments, self._literals))
        for key in keys:
            found &= self._matching(folder, key.upper(), keys)
        self._say("* SEARCH" + "".join(f" {uid}" for uid in sorted(found)))
        return "done"

    def _matching(self, folder: Folder, key: str, rest: Iterator[str]) -> set[int]:
        uids = folder.uids()
        if key == "ALL":
            return set(uids)
        if key == "UID":
            return imap_syntax.in_set(next(rest), uids)
        if key == "SINCE":
            day = imap_syntax.day(next(rest))
            return {uid for uid in uids if folder.received_at(uid).date() >= day}
        if key == "HEADER":
            name, value = next(rest).lower().encode(), next(rest).lower().encode()
            pattern = re.compile(rb"^" + re.escape(name) + rb":[^\r\n]*" + re.escape(value), re.M | re.I)
            return {uid for uid in uids if pattern.search(imap_syntax.header(folder.read(uid)))}
        raise imap_syntax.Bad(f"unknown search key {key[:40]}")

    def _fetch(self, arguments: str) -> str:
        folder = self._selected()
        uid_set, *items = imap_syntax.words(arguments, self._literals)
        uids = folder.uids()
        for uid in sorted(imap_syntax.in_set(uid_set, uids)):
            parts = [f"UID {uid}".encode()]
            parts += [imap_syntax.item(folder, uid, item.upper()) for item in items if item.upper() != "UID"]
            self._writer.write(b"* %d FETCH (%s)\r\n" % (uids.index(uid) + 1, b" ".join(parts)))
        return "done"

    def _open(self, name: str) -> Folder:
        folder = self._store.folder(self._user, name)
        if folder is None:
            raise No(f'[NONEXISTENT] no folder "{name[:80]}"')
        return folder

    def _selected(self) -> Folder:
        if self._folder is None:
            raise imap_syntax.Bad("select a folder first")
        return self._folder

    def _say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\r\n")
