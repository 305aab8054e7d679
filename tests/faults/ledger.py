"""What jobs did: a file that they append to, whatever becomes of Redis, the store or themselves."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FAULTS_LEDGER"  # where the file is; set for the processes under test


@dataclass(frozen=True)
class Line:
    job_id: str
    what: str  # start, end, failed
    pid: int
    at: float  # CLOCK_MONOTONIC: one for all processes of the machine, and never set


def note(job_id: str, what: str) -> None:
    """One write at the end of the file: whole, or not at all."""
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, f"{job_id} {what} {os.getpid()} {time.monotonic()}\n".encode())
    os.close(file)


class Ledger:
    """The file, as the test reads it."""

    def __init__(self, path: Path):
        self.path = path
        path.touch()
        self._lines: list[Line] = []
        self._read_until = 0  # bytes

    def lines(self) -> list[Line]:
        with self.path.open("rb") as file:
            file.seek(self._read_until)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read_until += len(whole)
        self._lines += [_line(text) for text in whole.decode().splitlines()]
        return self._lines

    def pids(self) -> set[int]:
        return {line.pid for line in self.lines()}

    def by_job(self) -> dict[str, list[Line]]:
        jobs: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines():
            jobs[line.job_id].append(line)
        return jobs

    def count(self, what: str) -> dict[str, int]:
        """How often each job did that."""
        counts: dict[str, int] = defaultdict(int)
        for line in self.lines():
            counts[line.job_id] += line.what == what
        return dict(counts)

    def repeated_without_cause(self, killed: set[int]) -> list[str]:
        """Jobs that were started again though their run had not failed, nor its process been killed."""
        return [
            f"{job_id}: {[(line.what, line.pid) for line in lines]}"
            for job_id, lines in self.by_job().items()
            if not all(_is_excused(start, lines, killed) for start in _starts(lines)[:-1])
        ]


def _line(text: str) -> Line:
    job_id, what, pid, at = text.split()
    return Line(job_id, what, int(pid), float(at))


def _starts(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.what == "start"]


def _is_excused(start: Line, lines: list[Line], killed: set[int]) -> bool:
    failed = any(line.what == "failed" and line.pid == start.pid and line.at > start.at for line in lines)
    return failed or start.pid in killed
