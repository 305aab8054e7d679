"""Contacts that may have a step to take along the lifecycle: mark them, find them, move them.

A contact keeps its mark until all is told that came of it, so whoever dies in between leaves it to be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from models import lifecycle
from models.contact import Contact
from models.store import LEAST, now
from schemas.contact import Stage

Row = dict[str, Any]  # a contact as it was read: `READ`
Steps = Mapping[ObjectId, Sequence[Row]]  # of each contact, as `lifecycle.Step` stores them

READ_AT_ONCE = 2_000  # rows of the planner's query in memory
READ = {"lifecycle_stage": 1, "lead_grade": 1, "intent_score": 1, "manual_override": 1, "lifecycle": 1}
NOT_OVERRIDDEN = (None, False)
OCCASION = "progression:"  # begins that of a step that was taken by rule
WORKSPACE, CONTACT = lifecycle.MARKED
UNANNOUNCED = "lifecycle.unannounced"


@dataclass(frozen=True)
class Range:
    """The marked contacts of a workspace from `first` to `last`."""

    workspace_id: ObjectId
    first: ObjectId
    last: ObjectId
    contacts: int = 1  # known to the planner; at most so many are looked at


def mark(workspace_id: ObjectId, contact_ids: Iterable[ObjectId]) -> None:
    """Something is stored by which a step of these contacts may be due. One command; safe to run twice."""
    rows = {"_id": {"$in": list(contact_ids)}, "workspace_id": workspace_id}
    Contact._get_collection().update_many(rows, [{"$set": lifecycle.marked("$workspace_id", "$_id")}])


def mark_all(workspace_id: ObjectId) -> int:
    """As `mark`, every contact of a workspace; returns how many. One command, which may be repeated."""
    rows, change = {"workspace_id": workspace_id}, {"$set": lifecycle.marked("$workspace_id", "$_id")}
    return int(Contact._get_collection().update_many(rows, [change]).modified_count)


def override(workspace_id: ObjectId, contact_id: ObjectId, is_overridden: bool) -> None:
    """People alone decide on its stage, or the rules do again: then it is looked at. Safe to run twice."""
    change = {"manual_override": is_overridden, **lifecycle.marked(workspace_id, contact_id)}
    mine = {"_id": contact_id, "workspace_id": workspace_id}
    Contact._get_collection().update_one(mine, {"$set": change})


def workspaces() -> list[ObjectId]:
    """Those that have contacts. One query, which reads an index."""
    return list(Contact._get_collection().distinct("workspace_id"))


def ranges(size: int, workspace_id: ObjectId | None = None) -> Iterator[Range]:
    """The marked contacts, of all workspaces or of one, in ranges. One query, which reads their index alone.

    It keeps 2,000 index entries at a time.
    """
    rows = Contact._get_collection().find(
        {WORKSPACE: workspace_id or {"$gte": LEAST}},
        {"_id": 0, WORKSPACE: 1, CONTACT: 1},
        sort=[(WORKSPACE, 1), (CONTACT, 1)],
        batch_size=READ_AT_ONCE,
    )
    current: Range | None = None
    for row in rows:
        workspace, contact = (row["lifecycle"]["mark"][name] for name in ("workspace_id", "contact_id"))
        if current and current.workspace_id == workspace and current.contacts < size:
            current = Range(workspace, current.first, contact, current.contacts + 1)
            continue
        if current:
            yield current
        current = Range(workspace, contact, contact)
    if current:
        yield current


def marked(part: Range) -> list[Row]:
    """The contacts of a range that are still marked, as many as it may have. One query.

    More have come since it was planned where all of a workspace were marked; those keep their marks.
    """
    query = {WORKSPACE: part.workspace_id, CONTACT: {"$gte": part.first, "$lte": part.last}}
    found = Contact._get_collection().find(query, READ, batch_size=part.contacts + 1)
    return list(found.sort([(WORKSPACE, 1), (CONTACT, 1)]).limit(part.contacts))


def is_overridden(row: Row) -> bool:
    """People alone decide on its stage."""
    return row.get("manual_override") not in NOT_OVERRIDDEN


def advance(rows: Mapping[ObjectId, Row], stages: Mapping[ObjectId, Sequence[Stage]]) -> None:
    """Let contacts take their steps, each noted to be told. One command.

    Who is not as it was read any more is left as it is: overridden, moved by somebody, or of another grade,
    score or mark.
    """
    updates = [UpdateOne(_as_read(rows[each]), _change(rows[each], found)) for each, found in stages.items()]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


def unannounced(contact_ids: Sequence[ObjectId]) -> dict[ObjectId, list[Row]]:
    """The steps that these contacts took, yet to be told. One query."""
    query = {"_id": {"$in": list(contact_ids)}, UNANNOUNCED: {"$exists": True}}
    rows = Contact._get_collection().find(query, {UNANNOUNCED: 1}, batch_size=len(contact_ids) + 1)
    return {row["_id"]: row["lifecycle"]["unannounced"] for row in rows}


def looked_at(rows: Iterable[Row], stages: Mapping[ObjectId, Sequence[Stage]], told: Steps) -> None:
    """Take the marks of contacts that stand where they should, and the steps that were told. One command.

    Those of whom something has come since keep theirs. Safe to run twice.
    """
    updates = [
        UpdateOne(
            {
                "_id": row["_id"],
                "lifecycle.mark.value": row["lifecycle"]["mark"]["value"],
                "lifecycle_stage": _stage(row, stages.get(row["_id"])),
                UNANNOUNCED: told.get(row["_id"]),
            },
            {"$unset": {"lifecycle.mark": "", UNANNOUNCED: ""}},
        )
        for row in rows
    ]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


def _stage(row: Row, stages: Sequence[Stage] | None) -> Any:
    return stages[-1] if stages else row.get("lifecycle_stage")


def _as_read(row: Row) -> Row:
    names = ("lifecycle_stage", "lead_grade", "intent_score")
    return {
        "_id": row["_id"],
        **{name: row.get(name) for name in names},  # None: missing, too
        "manual_override": {"$in": list(NOT_OVERRIDDEN)},
        "lifecycle.mark.value": row["lifecycle"]["mark"]["value"],
    }


def _change(row: Row, stages: Sequence[Stage]) -> Row:
    moment, occasion = now(), f"{OCCASION}{ObjectId()}"
    before = [row.get("lifecycle_stage") or "lead", *stages]
    steps = [
        {"stage": stage, "previous_stage": previous, "occasion": occasion, "at": moment}
        for previous, stage in pairwise(before)
    ]
    return {
        "$set": {"lifecycle_stage": stages[-1], "updated_at": moment},
        "$push": {UNANNOUNCED: {"$each": steps}},
    }
