"""The parts of the budget: `python -m bench.budget_parts <part> [hours]` on an empty Redis prints one bill.

A part is a process of its own, since the profile is read once per process.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any
from uuid import uuid4

import config
from bench import schedule
from bench.billing import Bill
from bench.jobs import PAYLOAD, ticked
from bench.simulation import Simulation
from queues.cron_entry import CronEntry
from queues.enqueue import NewJob, enqueue, enqueue_many
from services import logs

HOUR = 3_600
SAMPLES = 20  # jobs of each kind, one after the other


def main() -> None:
    logs.configure("json", "CRITICAL")
    config.settings()
    print(json.dumps(PARTS[sys.argv[1]](*map(int, sys.argv[2:]))))


def idle(workers: int, entries: Sequence[CronEntry] | None, hours: float) -> dict[str, Any]:
    """What a day without work costs, from several hours of it: more than any period of the engine."""
    simulation = Simulation(workers, entries)
    with simulation.running():
        simulation.skip(hours * HOUR)
        return simulation.bill().times(24 / hours)


def day(workers: int, hours: int) -> dict[str, Any]:
    """The default schedule from midnight on: each tick is enqueued and its job is run; per day."""
    simulation = Simulation(workers, schedule.ENTRIES)
    with simulation.running():
        simulation.skip(hours * HOUR + 1)
        bill = simulation.bill()
        return {**bill.times(24 / hours), "hours": hours, "ticks": len(ticked)}


def jobs() -> dict[str, Any]:
    """Per job, enqueue and all: of a worker that was idle, and of one that has plenty to do."""
    simulation = Simulation(1, None)
    with simulation.running(), tempfile.TemporaryDirectory() as folder:
        each = partial(_each, simulation)
        enqueue(_job("bench.jobs.quiet", payload=PAYLOAD))
        simulation.bill()  # scripts are loaded, connections made
        found = {
            "success": each(lambda: _job("bench.jobs.quiet", payload=PAYLOAD)),
            "failed once, then a success": each(
                lambda: _job("bench.jobs.fail_once", marker=f"{folder}/{uuid4().hex}"), seconds=2.0
            ),
            "failure": each(lambda: _job("bench.jobs.fail_for_good")),
        }
        enqueue_many([_job("bench.jobs.quiet", payload=PAYLOAD) for _ in range(SAMPLES * 10)])
        return {**found, "success, of many": simulation.bill().times(1 / SAMPLES / 10)}


def enqueueing() -> dict[str, Any]:
    """Enqueue alone, without a worker."""
    simulation = Simulation(0, None)
    with simulation.running():
        enqueue(_job("bench.jobs.quiet", payload=PAYLOAD))
        simulation.meter.start()
        for _ in range(SAMPLES):
            enqueue(_job("bench.jobs.quiet", payload=PAYLOAD))
        return simulation.meter.bill().times(1 / SAMPLES)


def wake_up(due: int) -> dict[str, Any]:
    """One wake-up of a scheduler, without a worker; its enqueues included.

    The middle one of several: now and then a sign of life falls into one.
    """
    simulation = Simulation(0, schedule.ENTRIES[:due])  # the first two are due at the same times
    bills: list[Bill] = []
    with simulation.running():
        for _ in range(7):
            simulation.skip(299.0 if bills else 299.5)
            simulation.bill()
            simulation.skip(1)
            bills.append(simulation.bill())
    middle = median(bill.commands for bill in bills)
    return next(bill for bill in bills if bill.commands == middle).times(1)


def _each(simulation: Simulation, make: Callable[[], NewJob], seconds: float = 0.0) -> dict[str, Any]:
    """The mean of several, each alone; `seconds` later everything has happened."""
    total: Bill | None = None
    for _ in range(SAMPLES):
        enqueue(make())
        simulation.settle()
        if seconds:
            simulation.skip(seconds)
    total = simulation.bill()
    return total.times(1 / SAMPLES)


def _job(func: str, **kwargs: Any) -> NewJob:
    return NewJob("crm-events", func, uuid4().hex, kwargs)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "idle worker": partial(idle, 1, None, 6),
    "idle scheduler": partial(idle, 0, schedule.NEVER, 6),
    "enqueue": enqueueing,
    "jobs": jobs,
    "wake-up, one due": partial(wake_up, 1),
    "wake-up, two due": partial(wake_up, 2),
    "day, one worker": partial(day, 1),
    "day, three workers": partial(day, 3),
}

if __name__ == "__main__":
    main()
