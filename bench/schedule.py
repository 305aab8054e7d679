"""The default schedule of the product, with no-ops for jobs: 786 ticks a day; and what holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from queues import names
from queues.cron_entry import CronEntry
from queues.cron_plan import Plan

LINES = (
    ("email-sync", "*/5 * * * *", names.EMAIL_SYNC),
    ("sequence-email", "*/5 * * * *", names.EMAIL_SYNC),
    ("google-sheet-form-sync", "*/10 * * * *", names.INTEGRATIONS),
    ("meeting-prep", "*/30 * * * *", names.AI_JOBS),
    ("lifecycle-progression", "0 */2 * * *", names.ANALYTICS),
    ("contact-sync", "0 2 * * *", names.INTEGRATIONS),
    ("intent-score-decay", "0 2 * * *", names.ANALYTICS),
    ("token-expiration-check", "0 3 * * *", names.INTEGRATIONS),
    ("daily-insight", "0 8 * * *", names.AI_JOBS),
    ("lead-recycling", "0 9 * * *", names.ANALYTICS),
    ("stale-deal-alert", "0 9 * * *", names.ANALYTICS),
)
TICKS = {  # by hours since midnight
    24: 2 * 288 + 144 + 48 + 12 + 6,
    6: 2 * 72 + 36 + 12 + 3 + 3,
    3: 2 * 36 + 18 + 6 + 1 + 3,
}
ENTRIES = tuple(CronEntry(name, cron, "bench.jobs.tick", queue, name) for name, cron, queue in LINES)
NEVER = (CronEntry("never", "0 0 29 2 *", "bench.jobs.tick", names.ANALYTICS, "due on leap days only"),)
EACH_MINUTE = (
    CronEntry("each-minute", "* * * * *", "bench.jobs.noted_tick", names.ANALYTICS, "each minute"),
)


class MemoryLedger:
    """The cron table, and what a scheduler asks of it; in this process, since only Redis is measured here."""

    def __init__(self, entries: Sequence[CronEntry]):
        self._entries = entries

    def table(self) -> Sequence[CronEntry]:
        return self._entries

    def last_ticks(self, _names: Iterable[str]) -> Mapping[str, datetime]:  # none is lost
        return {}

    def unfinished(self, _names: Iterable[str]) -> Mapping[str, Sequence[str]]:  # all are short
        return {}

    def record(self, plans: Sequence[Plan]) -> None:
        """Nobody asks: what ran tells it itself (bench/jobs.py)."""
