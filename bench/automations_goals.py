"""What is asked of the jobs that move contacts and deals, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.goals import Goal, at_most

Part = dict[str, Any]  # what `bench.automations_parts` prints of a job and a size, the smallest first

TIME = 2.0  # times that of the smallest CRM
MEMORY = 1.1  # times that of the smallest CRM


def memory(job: str, parts: Sequence[Part]) -> list[Goal]:
    """That of the worker does not grow with the CRM."""
    smallest = parts[0]["peak_mb"]
    return [at_most(f"{named(job, part)}: memory", part["peak_mb"] / smallest, MEMORY) for part in parts]


def by_what_changed(job: str, parts: Sequence[Part]) -> list[Goal]:
    """The CRM grows, what changed in it does not: neither do the store commands, nor the time twofold."""
    smallest = parts[0]["seconds"]
    times = [at_most(f"{named(job, part)}: time", part["seconds"] / smallest, TIME) for part in parts[1:]]
    return [*memory(job, parts), *as_many_commands(job, parts), *times]


def as_many_commands(job: str, parts: Sequence[Part]) -> list[Goal]:
    """As the smallest CRM needs."""
    smallest = parts[0]["commands"]
    return [
        at_most(f"{named(job, part)}: more store commands", part["commands"] - smallest, 0)
        for part in parts[1:]
    ]


def named(job: str, part: Part) -> str:
    return f"{job}, {part['contacts']} contacts"
