"""Jobs of the benchmarks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bench import ledger

PAYLOAD = "x" * 200


def noop(payload: str) -> int:
    """What every system runs; its result is small and has to be kept."""
    ledger.note()
    return len(payload)


ticked: list[str] = []  # due times of the ticks whose jobs ran in this process


def tick(tick: str) -> None:
    """A scheduled job that finds nothing to do."""
    ticked.append(tick)


def noted(name: str) -> None:
    """Its start is on record under that name."""
    ledger.note(name)


def noted_tick(tick: str) -> None:
    """A scheduled job whose start is on record under its due time."""
    ledger.note(tick)


_runs: Counter[str] = Counter()


def fail_twice(name: str) -> None:
    """Fail at the first and the second run, in one process; each start is on record."""
    ledger.note(name)
    _runs[name] += 1
    if _runs[name] <= 2:
        raise RuntimeError("as asked")


def fail_once(marker: str) -> None:
    """Fail at the first run, which leaves the marker file."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        raise RuntimeError("as asked")


class Hopeless(Exception):
    permanent = True


def fail_for_good() -> None:
    raise Hopeless("as asked")


def quiet(payload: str) -> int:
    """As `noop`, and nobody takes note."""
    return len(payload)
