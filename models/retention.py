"""How long what only grows is kept. The store deletes a document once its `expires_at` has passed, within
about a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta


def expiry(since: datetime, days: int) -> datetime | None:
    """When a document expires that is kept for so many days; None for 0: never."""
    return since + timedelta(days=days) if days else None
