"""When it is a certain hour somewhere."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_at(hour: int, zone: ZoneInfo, moment: datetime) -> datetime:
    """The first time from `moment` on that clocks there show this full hour, in UTC.

    Where they are put forward past it: when they show what it would have been. Where they are put back:
    the first time.
    """
    day = moment.astimezone(zone).date()
    while True:
        found = datetime.combine(day, time(hour), zone).astimezone(UTC)
        if found >= moment:
            return found
        day += timedelta(days=1)
