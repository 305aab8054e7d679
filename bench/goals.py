"""Goals of a benchmark: a value against its limit, and the one JSON object that a benchmark prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Goal:
    """`value` is None where it could not be measured; then the goal is missed."""

    name: str
    value: float | None
    limit: float
    better: Literal["at least", "at most"]

    @property
    def ok(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.limit if self.better == "at least" else self.value <= self.limit


def at_least(name: str, value: float | None, limit: float) -> Goal:
    return Goal(name, _rounded(value), limit, "at least")


def at_most(name: str, value: float | None, limit: float) -> Goal:
    return Goal(name, _rounded(value), limit, "at most")


def report(benchmark: str, goals: Sequence[Goal], **figures: Any) -> int:
    """Print the benchmark's result; returns its exit code: 1 when a goal is missed."""
    result = {
        "benchmark": benchmark,
        "goals": [{**asdict(goal), "ok": goal.ok} for goal in goals],
        **figures,
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0 if all(goal.ok for goal in goals) else 1


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
