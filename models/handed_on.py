"""Events of which reactions handed work on to jobs, which Redis alone holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

from models.event import DONE, FAILED, OPEN, EventRecord


def done(
    since: datetime, before: datetime, keep_days: int, after: tuple[datetime, ObjectId] | None, limit: int
) -> list[EventRecord]:
    """Those that were done in a span of time, in the order in which they expire, those after one of them.

    `keep_days`: the least for which any is kept. One query, on the index that lets them expire: it costs as
    much as there is to find, and no index of its own.
    """
    query: dict[str, Any] = {
        "status": DONE,
        "handed_on": {"$exists": True},
        "expires_at": {"$gte": after[0] if after else since + timedelta(days=keep_days)},
        "done_at": {"$gte": since, "$lt": before},
    }
    if after:
        query["$or"] = [{"expires_at": {"$gt": after[0]}}, {"_id": {"$gt": after[1]}}]
    found = EventRecord.objects(__raw__=query).order_by("expires_at", "id")
    return list(found.limit(limit))


def unfinished(since: datetime, limit: int) -> Iterator[list[EventRecord]]:
    """Those that are not done, but handed something on from a moment on; some at a time. One query."""
    found = EventRecord.objects(status__in=[*OPEN, FAILED], handed_on__exists=True).no_cache()
    late = (record for record in found if _did_after(record, since))
    while some := list(islice(late, limit)):
        yield some


def _did_after(record: EventRecord, moment: datetime) -> bool:
    return any(record.reactions[name] >= moment for name in record.handed_on)
