"""The jobs that `bench.automations` measures: a module for each, named like its job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bench import (
    automations_decay,
    automations_enrichment,
    automations_lifecycle,
    automations_recycling,
    automations_stale,
)
from bench.automations_goals import Part
from bench.goals import Goal


class Measured(Protocol):
    """Such a module."""

    QUEUE: str  # of the jobs that `run` enqueues

    def seed(self, contacts: int) -> None:
        """Fill the empty store."""

    def run(self) -> None:
        """A tick, without the jobs that it enqueues."""

    def check(self, contacts: int, /) -> None:
        """All was done. Raises RuntimeError."""

    def bare(self) -> None:
        """The bare statement; nothing where the job is not compared with one."""

    def goals(self, parts: Sequence[Part]) -> list[Goal]: ...


JOBS: Mapping[str, Measured] = {
    "intent-score-decay": automations_decay,
    "lifecycle-progression": automations_lifecycle,
    "lead-recycling": automations_recycling,
    "stale-deal-alert": automations_stale,
    "contact-sync": automations_enrichment,
}
