"""The grammar of IMAP (RFC 3501) that the sandbox's server speaks: words, sets of UIDs, fetch items."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from sandbox.mail_store import Folder

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s()"\[]+(?:\[[^\]]*\](?:<\d+\.\d+>)?)?)|[()]')
SECTION = re.compile(r"BODY(?:\.PEEK)?\[(HEADER|TEXT|)\](?:<(\d+)\.(\d+)>)?$")


class Bad(Exception):
    """The client said something that this server does not know; answered with BAD."""


def words(arguments: str, literals: list[bytes]) -> list[str]:
    """Atoms, quoted strings and literals in order; parentheses only group, so they are dropped."""
    found = []
    for token in TOKEN.finditer(arguments):
        if token[1] is not None and token[1].startswith("\x00"):
            found.append(literals[int(token[1][1:])].decode("utf-8", "replace"))
        elif token[1] is not None:
            found.append(re.sub(r"\\(.)", r"\1", token[1]))
        elif token[2]:
            found.append(token[2])
    return found


def item(folder: Folder, uid: int, item: str) -> bytes:
    if item == "RFC822.SIZE":
        return b"RFC822.SIZE %d" % folder.size(uid)
    if item == "FLAGS":
        return b"FLAGS ()"
    if item == "INTERNALDATE":
        return f'INTERNALDATE "{folder.received_at(uid):%d-%b-%Y %H:%M:%S +0000}"'.encode()
    section = SECTION.match(item)
    if section is None:
        raise Bad(f"unknown fetch item {item[:40]}")
    raw = folder.read(uid)
    head = header(raw)
    data = {"HEADER": head, "TEXT": raw[len(head) :], "": raw}[section[1]]
    partial = ""
    if section[2] is not None:
        start = int(section[2])
        data, partial = data[start : start + int(section[3])], f"<{start}>"
    return b"BODY[%s]%s {%d}\r\n%s" % (section[1].encode(), partial.encode(), len(data), data)


def header(raw: bytes) -> bytes:
    head, separator, _ = raw.partition(b"\r\n\r\n")
    return head + separator


def in_set(uid_set: str, uids: list[int]) -> set[int]:
    """`n:*` holds the last UID even when n is past it, as the RFC has it."""
    last = uids[-1] if uids else 0
    found: set[int] = set()
    for piece in uid_set.split(","):
        low, _, high = piece.partition(":")
        ends = sorted(last if end == "*" else int(end) for end in (low, high or low))
        found |= {uid for uid in uids if ends[0] <= uid <= ends[1]}
    return found


def day(text: str) -> date:
    return datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=UTC).date()
