"""Start, stop and kill worker.py and scheduler.py, and see that nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 15  # longer than the grace of the workers
# How queues/hangs.py ends a process that computes. On a busy machine it may compute for less than half of the
# time, and meet the limit of all time, whose code is 1, before that of computing.
HUNG_COMPUTING = (-signal.SIGPROF, 1)
HUNG_STILL = (1,)


@dataclass(frozen=True)
class Process:
    pid: int
    log: Path
    _code_of: Callable[[int], int | None]

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it lives."""
        return self._code_of(self.pid)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self.send(signal.SIGKILL)
        self.ended()

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.ended()

    def ended(self, timeout: float = 30) -> int:
        """The exit code, once it has ended."""
        wait_until(lambda: self.code() is not None, timeout, f"the end of {self.pid}")
        code = self.code()
        assert code is not None
        return code


class Nursery:
    """All processes of one test."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self._folder = folder
        self._own = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.born: list[Process] = []

    def start(self, program: str, **environment: str) -> Process:
        log = self._folder / f"{program}-{len(self.born)}.log"
        pid = self._ask({"program": program, "environment": environment, "log": str(log)})
        assert pid
        self.born.append(Process(pid, log, lambda pid: self._ask({"code_of": pid})))
        return self.born[-1]

    def living(self) -> list[psutil.Process]:
        """Every process that descends from ours, orphans of killed ones included."""
        found = psutil.Process(self._own.pid).children(recursive=True)
        return [child for child in found if _is_living(child)]

    def stop_all(self) -> list[psutil.Process]:
        """SIGTERM to all that live; returns what is left of them all, which is killed."""
        for process in self.born:
            if process.code() is None:
                process.send(signal.SIGCONT)
                process.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while (left := self.living()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return left

    def close(self) -> None:
        self._own.kill()  # all that were born have ended
        self._own.communicate()

    def _ask(self, request: dict[str, object]) -> int | None:
        assert self._own.stdin
        assert self._own.stdout
        self._own.stdin.write(json.dumps(request) + "\n")
        self._own.stdin.flush()
        answer = json.loads(self._own.stdout.readline())
        assert answer is None or isinstance(answer, int)
        return answer


def _is_living(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it has ended since it was found
        return False
