"""A stand-in of Sentry: takes envelopes on a real socket and keeps them."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = 1


class SentrySink:
    """Start it with `with SentrySink() as sink`; point a client at `sink.dsn`."""

    def __init__(self, port: int = 0) -> None:
        self.envelopes: list[bytes] = []  # raw, unzipped
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                is_ours = self.path == f"/api/{PROJECT}/envelope/" and "sentry_key=" in self._auth()
                if is_ours:
                    sink.envelopes.append(body)
                self._answer(200 if is_ours else 404)

            def _auth(self) -> str:
                return self.headers.get("X-Sentry-Auth") or ""

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: what arrived is in `envelopes`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> SentrySink:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def dsn(self) -> str:
        """Where a client sends to."""
        return f"http://public@127.0.0.1:{self._server.server_port}/{PROJECT}"

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
