"""What a scheduler asks of whoever knows more than Redis does: overrides of the table, and the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from queues.cron_entry import CronEntry
from queues.cron_plan import Plan


class CronStore(Protocol):
    """Must not raise because its own storage is away: the ticks go on without it."""

    def table(self) -> Sequence[CronEntry]:
        """The cron table as it is at this moment, overrides applied. Asked at each wake-up."""

    def last_ticks(self, names: Iterable[str], /) -> Mapping[str, datetime]:
        """When each entry's last known tick was due. Asked when Redis does not know the entry."""

    def unfinished(self, names: Iterable[str], /) -> Mapping[str, Sequence[str]]:
        """Ids of jobs of these entries that are not known to be over."""

    def record(self, plans: Sequence[Plan]) -> None:
        """This scheduler decided on these ticks, and no other did."""
