"""Mailboxes as folders of .eml files, each named by its UID: readable, and kept between runs."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

FOLDERS = {"INBOX": "", "Sent": "\\Sent"}  # name: special use (RFC 6154)


class Folder:
    """One IMAP folder. A single thread writes it, so UIDs are given once and in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        self._state = path / "state.json"
        stored = json.loads(self._state.read_text()) if self._state.exists() else {}
        self.uid_validity = int(stored.get("uid_validity", time.time()))
        self.uid_next = max([int(stored.get("uid_next", 1)), *(uid + 1 for uid in self.uids())])
        self._save()

    def uids(self) -> list[int]:
        return sorted(int(file.stem) for file in self._path.glob("*.eml"))

    def append(self, raw: bytes) -> int:
        """Store a message for good; returns its UID."""
        uid = self.uid_next
        self.uid_next += 1
        self._save()  # first: a UID may be lost in a crash, but never given twice
        _write(self._path / f"{uid:010}.eml", raw)
        return uid

    def read(self, uid: int) -> bytes:
        return (self._path / f"{uid:010}.eml").read_bytes()

    def size(self, uid: int) -> int:
        return (self._path / f"{uid:010}.eml").stat().st_size

    def received_at(self, uid: int) -> datetime:
        return datetime.fromtimestamp((self._path / f"{uid:010}.eml").stat().st_mtime, UTC)

    def _save(self) -> None:
        state = {"uid_validity": self.uid_validity, "uid_next": self.uid_next}
        _write(self._state, json.dumps(state).encode())


class MailStore:
    """The mailboxes of all users under one folder."""

    def __init__(self, root: Path, passwords: dict[str, str]) -> None:
        self._passwords = {user.lower(): password for user, password in passwords.items()}
        self._folders = {
            (user, name): Folder(root / user.replace("/", "_") / name)
            for user in self._passwords
            for name in FOLDERS
        }

    def accepts(self, user: str, password: str) -> bool:
        return self._passwords.get(user.lower()) == password

    def has(self, user: str) -> bool:
        return user.lower() in self._passwords

    def serves(self, domain: str) -> bool:
        return any(user.endswith("@" + domain.lower()) for user in self._passwords)

    def folder(self, user: str, name: str) -> Folder | None:
        """INBOX is the same in any case (RFC 3501, section 5.1)."""
        return self._folders.get((user.lower(), "INBOX" if name.upper() == "INBOX" else name))


def _write(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_bytes(data)
    partial.replace(path)
