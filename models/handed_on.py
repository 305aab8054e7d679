"""Events of which reactions handed work on to jobs, which Redis alone holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from models.event import DONE, FAILED, OPEN, EventRecord


def done(
    since: datetime, before: datetime, keep_days: int, after: datetime | None, limit: int
) -> list[EventRecord]:
    """Those that were done in a span of time, in the order in which they expire, those after a moment.

    `keep_days`: the least for which any is kept. Two queries at most, on the index that lets them expire: a
    page costs what it holds, and an event no index of its own. It holds all that expire with its last one,
    be they a few more than `limit`.
    """
    query: dict[str, Any] = {
        "status": DONE,
        "handed_on": {"$exists": True},
        "done_at": {"$gte": since, "$lt": before},
    }
    later = {"$gt": after} if after else {"$gte": since + timedelta(days=keep_days)}
    found = EventRecord.objects(__raw__={**query, "expires_at": later}).order_by("expires_at").limit(limit)
    page = {record.id: record for record in found}
    if len(page) == limit:
        last = max(record.expires_at for record in page.values())
        page |= {record.id: record for record in EventRecord.objects(__raw__={**query, "expires_at": last})}
    return sorted(page.values(), key=lambda record: record.expires_at)


def unfinished(since: datetime, limit: int) -> Iterator[list[EventRecord]]:
    """Those that are not done, but handed something on from a moment on; some at a time. One query."""
    found = EventRecord.objects(status__in=[*OPEN, FAILED], handed_on__exists=True).no_cache()
    late = (record for record in found if _did_after(record, since))
    while some := list(islice(late, limit)):
        yield some


def _did_after(record: EventRecord, moment: datetime) -> bool:
    return any(record.reactions[name] >= moment for name in record.handed_on)
