"""Find lost contacts that show interest again, and make them recycled, each once per loss.

The decision is one guarded update of the contact, which also notes what is yet to follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from models.contact import Contact
from models.recycling import LOST
from models.sequence import Sequence as MailSequence
from schemas.rules import RecyclingRules

Row = dict[str, Any]

READ_AT_ONCE = 2_000  # rows of the planner's query in memory
PLANNED = {
    "workspace_id": 1,
    "status_changed_at": 1,
    "status_noted": 1,
    "updated_at": 1,
    "last_interest_at": 1,
}


def interested(since: datetime) -> Iterator[Row]:
    """Lost contacts that have shown interest since a moment, by status and workspace.

    Two queries, one for each status, whatever the number of workspaces; 2,000 rows are kept at a time.
    """
    for status in LOST:
        yield from Contact._get_collection().find(
            {"status": status, "last_interest_at": {"$gte": since}},
            {**PLANNED, "status": 1},
            sort=[("workspace_id", 1), ("_id", 1)],
            batch_size=READ_AT_ONCE,
            allow_disk_use=True,
        )


def of(workspace_id: ObjectId, contact_ids: Sequence[ObjectId]) -> list[Row]:
    """Those of the contacts that are lost. One query."""
    mine = {"_id": {"$in": list(contact_ids)}, "workspace_id": workspace_id, "status": {"$in": LOST}}
    return list(Contact._get_collection().find(mine, {**PLANNED, "status": 1, "email": 1}))


def is_due(row: Row, as_of: datetime, rules: RecyclingRules) -> bool:
    """Lost for longer than so many days; interest since then, and not longer ago than so many days."""
    lost_at, seen = _lost_at(row), row.get("last_interest_at")
    if lost_at is None or seen is None:
        return False
    is_old = lost_at < as_of - timedelta(days=rules.lost_days)
    return is_old and seen > lost_at and seen >= as_of - timedelta(days=rules.interest_days)


def recycle(rows: Iterable[Row], as_of: datetime, sequence: MailSequence | None, batch: str) -> None:
    """Make them recycled, unless their status has changed since they were read. One command.

    What is yet to follow is noted, to be done by `batch`. Safe to run twice: they are not lost any more.
    """
    updates = [UpdateOne(_guard(row), {"$set": _change(row, as_of, sequence, batch)}) for row in rows]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


def recycled(batch: str) -> list[Contact]:
    """Contacts of this batch from which something is yet to follow. One indexed query."""
    return list(Contact.objects(recycling__batch=batch).only(*_KNOWN))


def left_over(first: str, before: str, limit: int) -> list[Contact]:
    """As `recycled`, for all batches whose names lie between these two, by the alphabet."""
    found = Contact.objects(recycling__batch__gte=first, recycling__batch__lt=before)
    return list(found.only(*_KNOWN).limit(limit))


def done(contacts: Iterable[Contact]) -> None:
    """All that follows is done. One command; safe to run twice."""
    updates = [
        UpdateOne({"_id": each.id, "recycling.batch": each.recycling.batch}, {"$unset": {"recycling": ""}})
        for each in contacts
    ]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


_KNOWN = ("workspace_id", "assigned_to", "recycling")


def _lost_at(row: Row) -> datetime | None:
    """When its status changed; of one that another program changed, not later than when it was edited.

    None for what is no time: one such row must not stop those of all workspaces.
    """
    lost_at = row.get("updated_at" if _is_of_before(row) else "status_changed_at")
    return lost_at if isinstance(lost_at, datetime) else None


def _is_of_before(row: Row) -> bool:
    """Whether the moment is missing, or that of another status: then a program changed the status alone."""
    moment, noted = row.get("status_changed_at"), row.get("status_noted") or {}
    return not moment or (noted.get("at") == moment and noted.get("status") != row["status"])


def _guard(row: Row) -> Row:
    as_read = {name: row.get(name) for name in ("status", "status_changed_at")}
    edited = {"updated_at": row.get("updated_at")} if _is_of_before(row) else {}
    return {"_id": row["_id"], **as_read, **edited}


def _change(row: Row, as_of: datetime, sequence: MailSequence | None, batch: str) -> Row:
    noted = {
        "batch": batch,
        "lost_at": _lost_at(row),
        "lost_as": row["status"],
        "interest_at": row["last_interest_at"],
        "recycled_at": as_of,
    }
    if sequence:
        noted |= {"sequence_id": sequence.id, "sequence_version": sequence.version}
    return {
        "status": "recycled",
        "status_changed_at": as_of,
        "status_noted": {"status": "recycled", "at": as_of},
        "updated_at": as_of,
        "recycling": noted,
    }
