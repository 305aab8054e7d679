"""Percentiles by nearest rank: each is a value that was really measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True)
class Spread:
    p50: float
    p95: float
    p99: float
    max: float
    samples: int


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that is at least as large as `percent` of them. Raises ValueError for none."""
    if not samples:
        raise ValueError("no samples")
    return sorted(samples)[max(0, ceil(len(samples) * percent / 100) - 1)]


def spread(samples: Sequence[float]) -> Spread:
    p50, p95, p99, largest = (round(percentile(samples, percent), 3) for percent in (50, 95, 99, 100))
    return Spread(p50, p95, p99, largest, len(samples))


def middle(spreads: Sequence[Spread]) -> Spread:
    """Of several rounds: the median of each percentile, so that one disturbed round decides nothing."""
    p50, p95, p99, largest = (
        median(getattr(each, name) for each in spreads) for name in ("p50", "p95", "p99", "max")
    )
    return Spread(p50, p95, p99, largest, sum(each.samples for each in spreads))
