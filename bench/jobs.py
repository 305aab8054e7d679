"""Jobs of the benchmarks."""

from __future__ import annotations

from bench import ledger

PAYLOAD = "x" * 200


def noop(payload: str) -> int:
    """What every system runs; its result is small and has to be kept."""
    ledger.note()
    return len(payload)
