"""Documents that were stored while their kind was kept for ever: give them their end, too.

That is before there was retention, or while its setting was 0. The settings alone hold for what comes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from mongoengine import Document

import config
from models.event import DONE, EventRecord
from models.notification import Notification
from models.store import LEAST, now
from models.visitor_event import VisitorEvent

BATCH = 500  # documents per step: one query and one update
ENDLESS = {"expires_at": None}


@dataclass(frozen=True)
class Kind:
    """What of a collection expires, and how long after the first of these moments that a document has."""

    document: type[Document]
    setting: str
    since: Sequence[str]
    query: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.document._get_collection_name())

    @property
    def days(self) -> int:
        """0: it is kept for ever."""
        return int(getattr(config.settings(), self.setting))

    def endless(self) -> dict[str, Any]:
        return {**self.query, **ENDLESS}

    def end(self, moment: datetime) -> dict[str, Any]:
        """When a document expires, as an expression. Since now, if it does not say since when it is there."""
        since: Any = {"$literal": moment}
        for name in reversed(self.since):
            since = {"$ifNull": [f"${name}", since]}
        return {"$add": [since, timedelta(days=self.days) // timedelta(milliseconds=1)]}


KINDS = (
    # Only what is done: the rest is kept until it is.
    Kind(EventRecord, "events_keep_days", ("done_at", "accepted_at"), {"status": DONE}),
    Kind(VisitorEvent, "visits_keep_days", ("received_at", "happened_at")),
    Kind(Notification, "notifications_keep_days", ("created_at",)),
)


@dataclass(frozen=True)
class Found:
    """Numbers of documents without an end."""

    name: str
    days: int  # for which they are kept; 0: for ever, so they are left alone
    endless: int
    over: int  # of these, whose time is over: the store deletes them within minutes


def census(moment: datetime | None = None) -> list[Found]:
    """What `apply` would do. Two queries per kind."""
    at = moment or now()
    return [_count(kind, at) for kind in KINDS]


def apply(per_second: int, pause: Callable[[float], None] = time.sleep) -> Iterator[tuple[str, int]]:
    """Give them their ends, some at a time; yields the kind's name and how many got one in this step.

    Safe to run twice, and to stop: what has an end keeps it. The pauses leave the store to others.
    """
    size = min(per_second, BATCH)
    for kind in KINDS:
        for changed in _steps(kind, size) if kind.days else ():
            yield kind.name, changed
            pause(size / per_second)


def _count(kind: Kind, at: datetime) -> Found:
    rows, query = kind.document._get_collection(), kind.endless()
    is_over = {"$expr": {"$lte": [kind.end(at), {"$literal": at}]}}
    over = rows.count_documents({**query, **is_over}) if kind.days else 0
    return Found(kind.name, kind.days, rows.count_documents(query), over)


def _steps(kind: Kind, size: int) -> Iterator[int]:
    rows, last = kind.document._get_collection(), LEAST
    while ids := _page(kind, last, size):
        change = [{"$set": {"expires_at": kind.end(now())}}]
        yield rows.update_many({"_id": {"$in": ids}, **kind.endless()}, change).modified_count
        last = ids[-1]


def _page(kind: Kind, last: ObjectId, size: int) -> list[ObjectId]:
    query = {**kind.endless(), "_id": {"$gt": last}}
    found = kind.document._get_collection().find(query, {"_id": 1}, batch_size=size + 1)
    return [row["_id"] for row in found.sort("_id", 1).limit(size)]
