"""The scheduler of the frugal profile: it knows where its entries stand, and does not read them each time."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from queues.cron import Scheduler
from queues.cron_plan import Plan
from queues.cron_table import Marks
from queues.frugal.bells import LONGEST

HEARTBEAT = 580.0  # seconds between two signs of life at most
TRUST = 3_600.0  # seconds after which it reads the table in any case: others may have changed it


class FrugalScheduler(Scheduler):
    """Reads the table anew after a lost compare-and-set, a bell, a change of the table, or an hour.

    What it remembers decides nothing: who moves an entry in Redis does.
    """

    longest_wait = LONGEST

    def __init__(self, *args: Any, heartbeat: float = HEARTBEAT, **options: Any):
        super().__init__(*args, heartbeat=heartbeat, **options)
        self._marks: Marks = {}
        self._trusted_until = 0.0  # monotonic
        self._has_lost = False  # a compare-and-set

    def wake(self, moment: datetime) -> datetime | None:
        """As the standard one; once more when another scheduler, or Redis, turns out to know better."""
        self._has_lost = False
        due = super().wake(moment)
        return super().wake(moment) if self._has_lost else due

    def read(self) -> Marks:
        if time.monotonic() >= self._trusted_until:
            self._marks = super().read()
            self._trusted_until = time.monotonic() + TRUST
        return dict(self._marks)

    def forget(self) -> None:
        self._trusted_until = 0.0

    def enqueue(self, plans: list[Plan]) -> list[Plan]:
        return self._moved(plans, super().enqueue(plans))

    def move(self, plans: list[Plan]) -> list[Plan]:
        return self._moved(plans, super().move(plans))

    def put_back(self, marks: Marks) -> None:
        super().put_back(marks)
        self.forget()

    def _moved(self, plans: list[Plan], ours: list[Plan]) -> list[Plan]:
        self._marks |= {plan.entry.name: plan.moves_to for plan in ours}
        if len(ours) < len(plans):
            self._has_lost = True
            self.forget()
        return ours
