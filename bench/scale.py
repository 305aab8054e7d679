"""Does it matter how many jobs wait? Throughput, and memory of Redis and worker, with 1,000 to a million.

Each number of waiting jobs has a Redis and a worker of its own. In turns of 1,000 jobs the workers take
no-ops from the front, while so many others wait behind them. The ratio of throughputs is the median of the
ratios within each round of turns.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil

from bench import backlog
from bench.backlog import Backlog
from bench.command import parser, say
from bench.goals import Goal, at_least, at_most, report
from bench.processes import Failed

FREE_BYTES = 2_000  # of memory per job that is to wait: for Redis, and its log where files lie in memory
FLAT = 0.2


@dataclass(frozen=True)
class Sizes:
    waiting: tuple[int, ...]
    turns: int


FULL = Sizes((1_000, 10_000, 100_000, 1_000_000), turns=25)
QUICK = Sizes((1_000, 10_000, 100_000), turns=12)


def main() -> int:
    options = parser(__doc__, profile="standard").parse_args()
    sizes = QUICK if options.quick else FULL
    skipped = {waiting: reason for waiting in sizes.waiting if (reason := lack_of_memory(waiting))}
    for reason in skipped.values():
        say(reason)
    with ExitStack() as stack:
        filled = [
            stack.enter_context(backlog.filled(waiting, options.profile))
            for waiting in sizes.waiting
            if waiting not in skipped
        ]
        tried = [stack.enter_context(backlog.backlog(each)) for each in filled]
        take_turns(tried, sizes.turns)
        found = {each.filled.waiting: figures(each) for each in tried}
        reached = goals(tried, sizes.waiting)
    return report(
        "scale", reached, profile=options.profile, turns=sizes.turns, waiting=found, skipped=skipped
    )


def lack_of_memory(waiting: int) -> str:
    """Why so many jobs cannot wait on this machine; empty when they can."""
    needed, free = waiting * FREE_BYTES / 1e9, psutil.virtual_memory().available / 1e9
    if free >= needed:
        return ""
    return f"{waiting:,} waiting jobs are skipped: {needed:.1f} GB of memory are needed, {free:.1f} are free"


def take_turns(backlogs: Sequence[Backlog], turns: int) -> None:
    """To and fro, so that what changes with time favours none."""
    for number in range(turns):
        for each in backlogs if number % 2 else reversed(backlogs):
            each.take()


def goals(backlogs: Sequence[Backlog], sizes: Sequence[int]) -> list[Goal]:
    """Not measured, and so missed, when a size was skipped."""
    throughput = redis = worker = None
    if len(backlogs) == len(sizes):
        throughput = min(ratio(each, backlogs[0]) for each in backlogs[1:])
        redis = most_to_least([each.filled.bytes_per_job for each in backlogs])
        worker = most_to_least([each.worker_mb() for each in backlogs])
    return [
        at_least(f"throughput, up to {sizes[-1]:,} waiting / {sizes[0]:,}, least", throughput, 1 - FLAT),
        at_most("Redis' memory per waiting job, most / least", redis, 1 + FLAT),
        at_most("worker's memory, most / least", worker, 1 + FLAT),
    ]


def ratio(large: Backlog, small: Backlog) -> float:
    """Of their throughput, turn by turn; the middle one."""
    pairs = zip(large.turns, small.turns, strict=True)
    return median(many.rate / few.rate for many, few in pairs)


def most_to_least(values: Sequence[float]) -> float:
    return max(values) / min(values)


def figures(backlog: Backlog) -> dict[str, Any]:
    """Medians of the turns."""
    return {
        "jobs_per_second": round(median(turn.rate for turn in backlog.turns)),
        "worker_ms_per_job": round(median(turn.worker_ms for turn in backlog.turns), 3),
        "redis_ms_per_job": round(median(turn.redis_ms for turn in backlog.turns), 3),
        "redis_bytes_per_job": round(backlog.filled.bytes_per_job),
        "worker_mb": round(backlog.worker_mb(), 1),
        "enqueued_per_second": round(backlog.filled.enqueued_per_second),
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
