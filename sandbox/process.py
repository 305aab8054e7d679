"""Start a server program, wait until it answers, stop it: shared by every stand-in."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

READY_SECONDS = 30  # a cold disk and two busy cores included
STOP_SECONDS = 15  # the document store takes about 4 s to close its files


class DidNotStart(RuntimeError):
    """A server program ended or stayed silent before it was ready."""


def free_port() -> int:
    """A TCP port on the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Server:
    """A program of its own that listens on one loopback port and logs to a file."""

    def __init__(self, command: list[str], port: int, log: Path, ready: Callable[[], bool] | None = None):
        self.command, self.port, self.log = command, port, log
        self._ready = ready or (lambda: answers(port))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start and wait until it answers. Raises `DidNotStart` with the end of its log."""
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in a terminal reaches only our supervisor, which stops us in order.
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self.log.read_text(errors="replace")[-2_000:]
                raise DidNotStart(f"{self.command[0]} did not start; the end of {self.log}:\n{tail}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
