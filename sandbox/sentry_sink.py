"""A stand-in of Sentry: takes envelopes on a real socket and keeps them."""

from __future__ import annotations

import gzip
import json
from email.message import Message
from typing import Any

from sandbox.http_stand_in import Answer, HttpStandIn

PROJECT = 1


class SentrySink(HttpStandIn):
    """Point a client at its `dsn`."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.envelopes: list[bytes] = []  # raw, unzipped

    def answer(self, path: str, headers: Message, body: bytes) -> Answer:
        is_ours = path == f"/api/{PROJECT}/envelope/" and "sentry_key=" in headers.get("X-Sentry-Auth", "")
        if not is_ours:
            return 404, {}, {}
        self.envelopes.append(gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)
        return 200, {}, {}

    @property
    def dsn(self) -> str:
        """Where a client sends to."""
        return f"http://public@{self.address}/{PROJECT}"

    def events(self) -> list[dict[str, Any]]:
        """The error events among the envelopes, oldest first."""
        return [event for envelope in self.envelopes for event in _events(envelope)]


def _events(envelope: bytes) -> list[dict[str, Any]]:
    """Of an envelope: a header line, then per item a header line and its payload of `length` bytes.

    https://develop.sentry.dev/sdk/foundations/envelopes/
    """
    _header, _, rest = envelope.partition(b"\n")
    found = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        item = json.loads(line)
        payload, rest = _split(rest, item.get("length"))
        if item["type"] == "event":
            found.append(json.loads(payload))
    return found


def _split(rest: bytes, length: int | None) -> tuple[bytes, bytes]:
    """The item's payload and what follows; without a length it ends with its line."""
    if length is None:
        payload, _, after = rest.partition(b"\n")
        return payload, after
    return rest[:length], rest[length:].removeprefix(b"\n")
