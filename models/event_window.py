"""A part of the event ledger, by type and time: what is in it, and what of it is not done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from models.event import DONE, FAILED, OPEN, EventRecord


@dataclass(frozen=True)
class Count:
    """How many events have a type, version and status."""

    type: str
    version: int
    status: str
    events: int


@dataclass(frozen=True)
class Window:
    """Events by type, none being all, and by when they were accepted: from `since` until before `until`."""

    types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def _filter(self, *statuses: str) -> dict[str, Any]:
        times = {"$gte": self.since, "$lt": self.until}
        given = {operator: moment for operator, moment in times.items() if moment}
        types = {"type": {"$in": list(self.types)}} if self.types else {}
        return {"status": {"$in": list(statuses)}, **({"accepted_at": given} if given else {}), **types}

    def unfinished(self) -> list[ObjectId]:
        """The events that are not done, in the order of publication."""
        rows = EventRecord._get_collection().find(self._filter(*OPEN, FAILED), {"_id": 1})
        return [row["_id"] for row in rows.sort([("accepted_at", 1), ("position", 1)])]

    def census(self) -> list[Count]:
        """Numbers of events, by type, version and status."""
        keys = {key: f"${key}" for key in ("type", "version", "status")}
        groups = EventRecord._get_collection().aggregate(
            [
                {"$match": self._filter(*OPEN, FAILED, DONE)},
                {"$group": {"_id": keys, "events": {"$sum": 1}}},
                {"$sort": {"_id.type": 1, "_id.version": 1, "_id.status": 1}},
            ]
        )
        return [Count(**group["_id"], events=group["events"]) for group in groups]
