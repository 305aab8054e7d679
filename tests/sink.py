"""A real HTTP receiver on loopback, which keeps what it gets and answers what it is told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import config

SECRET = "a secret of some length"


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sink:
    """`answers` are used up one by one, the last one for ever: status, and headers."""

    url: str
    port: int
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=lambda: [(204, {})])


@contextmanager
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A sink that webhooks may be sent to, though it is on loopback; they are signed with SECRET."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "true")
    config.settings.cache_clear()
    with listening() as sink:
        yield sink
    monkeypatch.undo()
    config.settings.cache_clear()


@contextmanager
def listening(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Sink]:
    """A sink at `host`, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.requests.append(Request(self.path, dict(self.headers), body))
            status, headers = sink.answers.pop(0) if len(sink.answers) > 1 else sink.answers[0]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        port = server.server_port
        sink = Sink(f"{'https' if tls else 'http'}://{host}:{port}", port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
