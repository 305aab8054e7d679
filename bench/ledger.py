"""The ledger of a run: a file to which every job of every system adds one line when it starts.

A line is `<name> <nanoseconds of the monotonic clock>`: one clock for all processes of a machine. The name is
the worker's, where rates are measured, or else tells the job. It costs a job about 2 µs, the same in each
system, and needs no access to Redis.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic_ns

LEDGER, WORKER = "BENCH_LEDGER", "BENCH_WORKER"  # environment variables
WARM_UP = 20  # jobs that each worker runs before the measured time begins


def note(name: str | None = None) -> None:
    """Called by a job; without a name it is the worker's."""
    os.write(_file(), f"{name or os.environ[WORKER]} {monotonic_ns()}\n".encode())


@cache
def _file() -> int:
    return os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@dataclass(frozen=True)
class Entry:
    name: str
    at: float  # seconds, monotonic clock


def read(ledger: Path) -> list[Entry]:
    """Entries in order of time."""
    lines = (line.split() for line in ledger.read_text().splitlines())
    return sorted((Entry(name, int(at) / 1e9) for name, at in lines), key=lambda entry: entry.at)


def length(ledger: Path) -> int:
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def rate(entries: list[Entry], workers: int) -> float | None:
    """Jobs per second from the moment at which every worker is warm; None when one never became so."""
    seen: Counter[str] = Counter()
    for place, entry in enumerate(entries):
        seen[entry.name] += 1
        if len(seen) == workers and min(seen.values()) >= WARM_UP:
            measured = entries[place:]
            return (len(measured) - 1) / (measured[-1].at - measured[0].at) if len(measured) > 1 else None
    return None
