"""How soon a job starts: after its enqueue, idle and at half load; after the due time of a retry or a tick.

A start is taken from the moment at which the enqueue was to begin to the first line of the job. At half load,
jobs arrive at random (Poisson) at half the rate that the same worker reached just before, whether it keeps up
or not. Retries and ticks come to a worker that has nothing else to do. Starts are measured in rounds, whose
percentiles' medians are taken; the distance from a due time is the largest of all samples, early or late.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench import environment, processes
from bench.command import parser, say
from bench.goals import Goal, at_least, at_most, report
from bench.percentiles import Spread, middle, spread
from bench.processes import Failed

LATEST_START = 50  # ms; a person who waits for a reaction does not notice
DISTANCE = 100  # ms from a due time


@dataclass(frozen=True)
class Sizes:
    rounds: int
    fill: int  # jobs from which the worker's rate is taken
    idle: int  # jobs that come one by one
    load: int  # seconds of half load
    retried: int  # jobs that fail twice
    ticks: int


FULL = Sizes(rounds=5, fill=5_000, idle=200, load=10, retried=50, ticks=30)
QUICK = Sizes(rounds=3, fill=2_000, idle=80, load=2, retried=12, ticks=7)
Part = dict[str, Any]  # what `bench.latency_<part>` prints


@dataclass(frozen=True)
class Found:
    """In ms; rates in jobs per second."""

    starts: Sequence[Part]  # a part per round
    retries: Part
    ticks: Part


def main() -> int:
    options = parser(__doc__, profile="standard").parse_args()
    found = measure(QUICK if options.quick else FULL, options.profile)
    return report("latency", goals(found), profile=options.profile, **figures(found))


def measure(sizes: Sizes, profile: str) -> Found:
    """The starts by themselves; then retries and ticks side by side, since both mostly wait."""
    starts = run(profile, "starts", sizes.rounds, sizes.fill, sizes.idle, sizes.load)["rounds"]
    with ThreadPoolExecutor() as threads:
        retries = threads.submit(run, profile, "retries", sizes.retried)
        ticks = threads.submit(run, profile, "ticks", sizes.ticks)
        return Found(starts, retries.result(), ticks.result())


def run(profile: str, part: str, *sizes: int) -> Part:
    """One part, on an empty Redis."""
    with environment.place(QUEUE_PROFILE=profile) as place:
        command = [sys.executable, "-m", f"bench.latency_{part}", str(place.folder), *map(str, sizes)]
        found: Part = json.loads(processes.output_of(command, place.environment))
    say(f"{part}: done")
    return found


def goals(found: Found) -> list[Goal]:
    """Half load is judged by p95: beyond it, one sees the load generator and Redis share the processors."""
    return [
        at_most("idle: enqueue to start, p99, ms", starts(found, "idle").p99, LATEST_START),
        at_most("half load: enqueue to start, p95, ms", starts(found, "load").p95, LATEST_START),
        at_least("half load: pace that the load generator kept", pace(found), 0.95),
        at_most(
            "retry: start from its due time, largest distance, ms",
            farthest(found.retries["starts"]),
            DISTANCE,
        ),
        at_most(
            "retry: due time from what the policy allows, ms", farthest(found.retries["waits"]), DISTANCE
        ),
        at_most(
            "tick: start from its due time, largest distance, ms", farthest(found.ticks["starts"]), DISTANCE
        ),
    ]


def figures(found: Found) -> Mapping[str, Any]:
    return {
        "worker_jobs_per_second": round(median(each["rate"] for each in found.starts)),
        "milliseconds": {
            "idle, enqueue to start": asdict(starts(found, "idle")),
            "half load, enqueue to start": asdict(starts(found, "load")),
            "retry, due to start": asdict(spread(found.retries["starts"])),
            "tick, due to enqueue": asdict(spread(found.ticks["enqueues"])),
            "tick, due to start": asdict(spread(found.ticks["starts"])),
        },
    }


def starts(found: Found, kind: str) -> Spread:
    return middle([spread(each[kind]) for each in found.starts])


def pace(found: Found) -> float:
    """1 when half of the worker's rate was really offered; the median of the rounds."""
    return float(median(each["pace"] for each in found.starts))


def farthest(samples: Sequence[float]) -> float:
    return max(map(abs, samples))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
