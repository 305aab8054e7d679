"""A worker process beside a part of a benchmark, and the ledger that tells when its jobs started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import config
from bench import ledger, processes
from bench.ledger import Entry
from bench.systems import OURS
from queues.enqueue import NewJob, enqueue
from queues.names import CRM_EVENTS
from services import logs

SECONDS = 60.0  # for jobs that take a few seconds at most


@dataclass(frozen=True)
class Watched:
    ledger: Path
    process: subprocess.Popen[bytes]

    def starts(self) -> list[Entry]:
        """Since the last `forget`."""
        return ledger.read(self.ledger) if self.ledger.exists() else []

    def forget(self) -> None:
        """Begin the ledger anew."""
        if self.ledger.exists():
            os.truncate(self.ledger, 0)

    def halt(self) -> None:
        """Stop the process where it is, until it is to `go_on`."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def wait_for(self, starts: int, look: Callable[[], object] | None = None) -> None:
        """Until so many jobs have started; `look` is called meanwhile. Raises `Failed`."""

        def have_started() -> bool:
            if look:
                look()
            return ledger.length(self.ledger) >= starts

        processes.wait_until(have_started, f"the start of {starts} jobs", SECONDS, [self.process])


@contextmanager
def worker(folder: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Watched]:
    """`worker.py`, for the block."""
    file = folder / "ledger"
    environment = {**environment, ledger.LEDGER: str(file), ledger.WORKER: "0"}
    with processes.running(OURS.worker, environment, folder / "worker.log") as process:
        yield Watched(file, process)


def main(part: Callable[..., dict[str, Any]]) -> None:
    """The command line of a part: a folder and sizes; prints what the part found."""
    logs.configure("json", "CRITICAL")
    config.settings()
    folder, *sizes = sys.argv[1:]
    with worker(Path(folder)) as watched:
        warm_up(watched)
        print(json.dumps(part(watched, *map(int, sizes))))


def warm_up(worker: Watched) -> None:
    """The process is up; connections are made, scripts and imports loaded."""
    for number in range(ledger.WARM_UP):
        enqueue(NewJob(CRM_EVENTS, "bench.jobs.noted", uuid4().hex, {"name": "warm-up"}))
        worker.wait_for(number + 1)
    worker.forget()
