"""Jobs of the benchmarks."""

from __future__ import annotations

from pathlib import Path

from bench import ledger

PAYLOAD = "x" * 200


def noop(payload: str) -> int:
    """What every system runs; its result is small and has to be kept."""
    ledger.note()
    return len(payload)


def tick(tick: str) -> None:
    """A scheduled job that finds nothing to do."""


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
