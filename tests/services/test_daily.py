"""When it is a certain hour somewhere, summer time or not."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services import daily


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("hour", "zone", "moment", "expected"),
    [
        (9, "UTC", utc(2026, 3, 10, 9), utc(2026, 3, 10, 9)),
        (9, "UTC", utc(2026, 3, 10, 9, 0, 1), utc(2026, 3, 11, 9)),
        (9, "UTC", utc(2026, 3, 10, 8, 59, 59), utc(2026, 3, 10, 9)),
        (9, "Europe/Berlin", utc(2026, 3, 28, 9), utc(2026, 3, 29, 7)),
        (9, "Europe/Berlin", utc(2026, 10, 24, 9), utc(2026, 10, 25, 8)),
        (9, "Pacific/Kiritimati", utc(2026, 3, 10, 9), utc(2026, 3, 10, 19)),
        (9, "Pacific/Pago_Pago", utc(2026, 3, 10, 9), utc(2026, 3, 10, 20)),
        (9, "Asia/Kolkata", utc(2028, 2, 28, 9), utc(2028, 2, 29, 3, 30)),
        (2, "Europe/Berlin", utc(2026, 3, 28, 9), utc(2026, 3, 29, 1)),  # there is no 2: it is 3 at once
        (2, "Europe/Berlin", utc(2026, 10, 24, 9), utc(2026, 10, 25, 0)),  # there are two: the first
    ],
)
def test_the_next_full_hour_there(hour: int, zone: str, moment: datetime, expected: datetime) -> None:
    assert daily.next_at(hour, ZoneInfo(zone), moment) == expected
