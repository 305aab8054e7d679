"""Where an entry stands: when it is due next, as the score of its member in Redis.

A clock that is set back lets an hour happen twice. The ticks of the second time are ticks of their own, or
they would stand still for an hour; and none may be taken for one that is done. So they are due a second
later (12:05:01), and the score's fraction says until when, in minutes: the state is one number, changed by
one compare-and-set, and any scheduler that reads it goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from queues.cron_entry import CronEntry

MINUTE = timedelta(minutes=1)
FRACTION = 1_000_000  # a minute of the second time is a millionth of the score
LONGEST_REPEAT = (FRACTION - 1) * MINUTE  # 694 days: what the fraction can say
# How far the last tick may lie in the future: for intervals two schedulers' clocks may differ by that much;
# what has hours of the day is not repeated unless the clock was corrected by more (as cron(8) does).
AHEAD_INTERVAL, AHEAD_FIXED = timedelta(minutes=2), timedelta(hours=3)


@dataclass(frozen=True)
class Mark:
    """The next due time, UTC; `repeats_until`: times before that moment happen again."""

    due: datetime
    repeats_until: datetime | None = None

    @classmethod
    def of(cls, score: float) -> Mark:
        due = datetime.fromtimestamp(int(score), UTC)
        minutes = round(score % 1 * FRACTION) if due.second else 0
        return cls(due, due.replace(second=0) + minutes * MINUTE if minutes else None)

    @property
    def score(self) -> float:
        again = self.repeats_until - self.due.replace(second=0) if self.repeats_until else timedelta()
        return self.due.timestamp() + again / MINUTE / FRACTION

    @property
    def shift(self) -> timedelta:
        return timedelta(seconds=self.due.second)

    def after(self, entry: CronEntry, due: datetime) -> Mark:
        """Where the entry stands once the tick at `due` is decided."""
        following = entry.next_after(due - self.shift)
        if self.repeats_until and following < self.repeats_until:
            return Mark(following + self.shift, self.repeats_until)
        return Mark(following)

    def set_back(self, entry: CronEntry, moment: datetime) -> Mark | None:
        """The mark to go on with when the clock was set back behind ticks that are done; else None."""
        ahead = AHEAD_INTERVAL if entry.is_interval else AHEAD_FIXED
        if entry.next_after(moment + ahead) >= self.due - self.shift:
            return None
        due = entry.next_after(moment)
        until = min(self.repeats_until or self.due, due + LONGEST_REPEAT)
        return Mark(due + self.shift + timedelta(seconds=1), until)
