"""Several worker processes under one parent: started, renewed when they end, stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

import structlog

log = structlog.get_logger()

LOOK = 0.5  # seconds between two looks at the children
QUICK = 5.0  # seconds; a child that ends sooner than that is restarted after LONGEST_PAUSE at most
LONGEST_PAUSE = 30.0  # seconds


class Supervisor:
    """Keeps `number` processes of one command running until SIGTERM or SIGINT."""

    def __init__(self, command: Sequence[str], number: int):
        self._command = command
        self._children: list[subprocess.Popen[bytes] | None] = [None] * number
        self._started = [0.0] * number
        self._pauses = [0.0] * number
        self._stop = threading.Event()
        self._lifeline, _ = os.pipe()  # the children's standard input: it ends when we do, even by kill -9

    def run(self) -> None:
        """Until stopped; then every child gets SIGTERM and is waited for."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        while not self._stop.is_set():
            for place in range(len(self._children)):
                self._keep_running(place)
            self._stop.wait(LOOK)
        self._end_all()

    def _keep_running(self, place: int) -> None:
        child = self._children[place]
        if child is not None:
            if child.poll() is None:
                return
            log.info("♻️  worker process ended", pid=child.pid, code=child.returncode)
            lived = time.monotonic() - self._started[place]
            self._pauses[place] = (
                min(LONGEST_PAUSE, max(1.0, self._pauses[place] * 2)) if lived < QUICK else 0.0
            )
            self._children[place] = None
        if time.monotonic() - self._started[place] >= self._pauses[place]:
            self._children[place] = subprocess.Popen(self._command, stdin=self._lifeline)  # noqa: S603 - our own program
            self._started[place] = time.monotonic()

    def _end_all(self) -> None:
        running = [child for child in self._children if child and child.poll() is None]
        for child in running:
            child.send_signal(signal.SIGTERM)
        for child in running:
            child.wait()
