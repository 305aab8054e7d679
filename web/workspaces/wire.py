"""How values look over the wire."""

from __future__ import annotations

from datetime import UTC, datetime


def time(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else None
    return text.replace("+00:00", "Z") if text else None
