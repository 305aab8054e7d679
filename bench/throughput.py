"""Throughput beside the peers: no-op jobs with a payload of 200 bytes, three at once, results kept.

Every system runs on the same Redis. Its jobs are enqueued, then its workers start; the rate is taken from the
moment at which each of them is warm. Runs of the systems alternate, and a ratio is the median of the ratios
within each round, so that a busy machine disturbs both sides alike.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench import environment, processors, runs, systems
from bench.command import parser, say
from bench.goals import Goal, at_least, report
from bench.processes import Failed
from bench.systems import BULL, HUEY, OTHERS, OURS, RQ, RQ_SIMPLE, System

BATCH = (*OURS.producer, "--batch")


@dataclass(frozen=True)
class Sizes:
    jobs: int
    rounds: int
    systems: tuple[tuple[System, int], ...]  # with the number of worker processes


NAMED_BY_A_GOAL = ((RQ, 1), (RQ_SIMPLE, 1), (OURS, 1), (BULL, 1), (OURS, 2), (HUEY, 2))
FULL = Sizes(5_000, 5, (*NAMED_BY_A_GOAL, (HUEY, 1), *((system, 1) for system in OTHERS)))
QUICK = Sizes(2_000, 2, NAMED_BY_A_GOAL)


@dataclass(frozen=True)
class Round:
    """Each system's run, by "system × processes"; our batch enqueue, in jobs per second; and the machine."""

    runs: Mapping[str, runs.Run]
    batch: float
    gain: float  # of a second process that only counts, see `processors.gain`


def main() -> int:
    options = parser(__doc__).parse_args()
    sizes = QUICK if options.quick else FULL
    with environment.place(QUEUE_PROFILE="standard", QUEUE_CONCURRENCY=systems.CONCURRENCY) as place:
        rounds = [play(place, sizes, number) for number in range(1, sizes.rounds + 1)]
    return report(
        "throughput",
        goals(rounds),
        jobs=sizes.jobs,
        rounds=sizes.rounds,
        concurrency=int(systems.CONCURRENCY),
        medians=medians(rounds),
        machine={"two busy loops / one": round(median(r.gain for r in rounds), 2)},
        busy_cores={_key(OURS, workers): busy_cores(rounds, workers) for workers in (1, 2)},
        absent=[system.name for system, _ in sizes.systems if not system.is_installed],
    )


def play(place: environment.Place, sizes: Sizes, number: int) -> Round:
    """Each system once."""
    found: dict[str, runs.Run] = {}
    for system, workers in sizes.systems:
        if not system.is_installed:
            continue
        run = runs.run(place, system, workers, round(sizes.jobs * system.share))
        found[_key(system, workers)] = run
        say(
            f"round {number}: {_key(system, workers):12} {run.ran:7.0f} jobs/s, {run.cpu_ms:.2f} ms CPU a job"
        )
    return Round(found, runs.enqueue_rate(place, BATCH, sizes.jobs), processors.gain())


def goals(rounds: Sequence[Round]) -> list[Goal]:
    """The goals; BullMQ's only where node is installed."""
    one, two, simple = _key(OURS, 1), _key(OURS, 2), _key(RQ_SIMPLE, 1)
    found = [
        at_least("one process / rq's default worker", _ratio(rounds, one, _key(RQ, 1)), 40),
        at_least("one process / rq's SimpleWorker", _ratio(rounds, one, simple), 6),
        at_least("two processes / huey with two", _ratio(rounds, two, _key(HUEY, 2)), 1.0),
        at_least("two processes / one", _ratio(rounds, two, one), 1.7),
        at_least(
            "enqueue / rq's", _median(r.runs[one].enqueued / r.runs[simple].enqueued for r in rounds), 2
        ),
        at_least("batch enqueue / rq's", _median(r.batch / r.runs[simple].enqueued for r in rounds), 8),
    ]
    if BULL.is_installed:
        found.insert(2, at_least("one process / BullMQ", _ratio(rounds, one, _key(BULL, 1)), 1.0))
    return found


def medians(rounds: Sequence[Round]) -> dict[str, Any]:
    """Of each system's figures."""
    found: dict[str, Any] = {
        key: {
            name: round(median(asdict(r.runs[key])[name] for r in rounds), 2)
            for name in ("ran", "cpu_ms", "redis_ms", "enqueued", "repeated")
        }
        for key in rounds[0].runs
    }
    return {**found, "ours, batch": {"enqueued": round(median(r.batch for r in rounds), 2)}}


def busy_cores(rounds: Sequence[Round], workers: int) -> float:
    """Processors that our workers and Redis kept busy: where all are, more processes run no more jobs."""
    found = [r.runs[_key(OURS, workers)] for r in rounds]
    return round(median(run.ran * (run.cpu_ms + run.redis_ms) / 1_000 for run in found), 2)


def _key(system: System, workers: int) -> str:
    return f"{system.name} × {workers}"


def _ratio(rounds: Sequence[Round], ours: str, peer: str) -> float | None:
    """None when the peer is not installed."""
    return _median(r.runs[ours].ran / r.runs[peer].ran for r in rounds if peer in r.runs)


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
