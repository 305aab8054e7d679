"""One line of the cron table: what runs when, and what becomes of a tick that is late or overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from croniter import croniter

import config
from queues.enqueue import NewJob


class Missed(StrEnum):
    """What becomes of a tick that nobody enqueued within its grace. Never a burst."""

    SKIP = "skip"  # it is not run
    ONCE = "once"  # the latest one is run, however many were missed


class Overlap(StrEnum):
    """What becomes of a tick while the former run still waits, runs or is to be retried."""

    SKIP = "skip"
    QUEUE = "queue"


@dataclass(frozen=True)
class CronEntry:
    """One line of the cron table. `func` is called with `tick`, the ISO time that it was due at."""

    name: str
    cron: str  # five fields
    func: str
    queue: str
    description: str
    time_zone: str | None = None  # None: the setting TZ
    missed: Missed = Missed.ONCE
    overlap: Overlap = Overlap.SKIP
    grace: timedelta = timedelta(minutes=1)  # a tick that starts later than that is late
    enabled: bool = True
    paused: str | None = None  # why its ticks are skipped until somebody resumes it
    runner: str | None = None  # dotted name: called with `name` and `tick` instead of `func`
    since: datetime | None = None  # ticks before that moment do not count: it was changed then

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone) if self.time_zone else config.settings().time_zone

    @property
    def line(self) -> dict[str, str]:
        """What decides when it is due."""
        return {"cron_string": self.cron, "time_zone": self.zone.key}

    @property
    def is_interval(self) -> bool:
        """Whether it runs every so often, and not at hours of the day: as cron(8), by the hour's `*`."""
        return self.cron.split()[1].startswith("*")

    def next_after(self, moment: datetime) -> datetime:
        """The first time after `moment` that the entry is due, in UTC; in its own time zone, DST included."""
        return next(self.times_after(moment))

    def times_after(self, moment: datetime) -> Iterator[datetime]:
        """All times after `moment`, in UTC.

        Clocks go forward: a time that does not exist is due when they have. Clocks go back: what has hours of
        the day is due at the first of two equal times only, and an interval at both.
        """
        line = croniter(self.cron, moment.astimezone(self.zone))
        while True:
            due: datetime = line.get_next(datetime).astimezone(UTC)
            if self.is_interval or not due.astimezone(self.zone).fold:
                yield due

    def job(self, due: datetime) -> NewJob:
        """The tick's job. Its id holds the due time: the same tick is enqueued once."""
        return self._job(self.id_of(due), due, f"{self.name} {due:%Y-%m-%d %H:%M} UTC")

    def job_by_hand(self, moment: datetime) -> NewJob:
        """As a tick's job, with an id of its own: it never stands in the way of a tick."""
        job_id = f"{self.name}-manual-{moment:%Y%m%dT%H%M%S%f}"
        return self._job(job_id, moment, f"{self.name}, run by hand")

    def id_of(self, due: datetime) -> str:
        """Like `email-sync-20260601T1205`; with seconds when the clock was set back (see `Mark`)."""
        return f"{self.name}-{due:%Y%m%dT%H%M}" + (f"{due:%S}" if due.second else "")

    def _job(self, job_id: str, due: datetime, description: str) -> NewJob:
        tick = due.isoformat(timespec="auto" if due.microsecond == 0 else "milliseconds")
        return NewJob(
            queue=self.queue,
            func=self.runner or self.func,
            id=job_id,
            kwargs={"name": self.name, "tick": tick} if self.runner else {"tick": tick},
            description=description,
            meta={"tick": tick},
        )
