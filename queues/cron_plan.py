"""Decide what becomes of an entry that is due: run it, skip it, or note it as missed. Knows no Redis."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from queues.cron_entry import CronEntry, Missed, Overlap
from queues.cron_mark import Mark

MOST_MISSED = 1_000  # rows in the ledger for one entry's missed ticks; older ones are not told apart
LOOK_BACK = timedelta(days=7)  # ticks missed before that are not counted, but for the one that was due


@dataclass(frozen=True)
class Plan:
    """What to do with an entry that is due: of several missed ticks the latest is decided on."""

    entry: CronEntry
    due: datetime
    moves_to: Mark
    skipped: str = ""  # why it is not run though it could be
    missed: str = ""  # why it is not run: too late
    earlier: tuple[datetime, ...] = ()  # ticks before it that nobody enqueued in time

    @property
    def is_run(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """Why it is not run."""
        return self.skipped or self.missed


def plan(entry: CronEntry, mark: Mark, moment: datetime, unfinished: str | None = None) -> Plan:
    """What to do at `moment` with an entry that is due; `unfinished`: the former run's job, if not over."""
    *earlier, due = _times(entry, mark, moment)
    moves_to = mark.after(entry, due)
    late = moment - due
    skipped = missed = ""
    if entry.paused is not None:
        skipped = f"paused: {entry.paused}"
    elif late > entry.grace and entry.missed is Missed.SKIP:
        missed = f"no scheduler for {_minutes(late)} min"
    elif unfinished and entry.overlap is Overlap.SKIP:
        skipped = f"the former run is not over: {unfinished}"
    return Plan(entry, due, moves_to, skipped, missed, tuple(earlier))


def _times(entry: CronEntry, mark: Mark, moment: datetime) -> deque[datetime]:
    """The due times that have come, the latest last."""
    times = deque([mark.due], maxlen=MOST_MISSED + 1)
    start = max(mark.due - mark.shift, moment - LOOK_BACK)
    for due in entry.times_after(start):
        if due + mark.shift > moment:
            return times
        times.append(due + mark.shift)
    raise AssertionError("a cron line never ends")


def _minutes(late: timedelta) -> int:
    return max(1, round(late.total_seconds() / 60))
