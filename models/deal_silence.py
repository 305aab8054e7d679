"""Look at deals that have been quiet for long, in ranges; say once which levels they reached, and what ended.

A range is the deals of a workspace that are due between two moments. The moments are keyset and guard at
once: a deal that was looked at is due later, or never, and has left the range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any

from bson import ObjectId
from pymongo import UpdateMany, UpdateOne

from models import silence
from models.deal import Deal
from schemas.rules import StaleDealRules

READ_AT_ONCE = 2_000  # rows of the planner's query in memory
TICK = timedelta(milliseconds=1)  # the store's precision
READ = ("workspace_id", "contact_ids", "assigned_to", "last_activity_at", "silence")


@dataclass(frozen=True)
class Range:
    """Deals of a workspace that are due from `first` to `last`, None: that nobody has looked at yet.

    Where the two are the same, those with ids from `first_id` to `last_id`.
    """

    workspace_id: ObjectId
    first: datetime | None
    last: datetime | None
    first_id: ObjectId
    last_id: ObjectId
    deals: int = 0  # known to the planner

    @property
    def query(self) -> dict[str, Any]:
        mine = {"workspace_id": self.workspace_id, "status": "open"}
        if self.first is None or self.last is None or self.first == self.last:
            ids = {"$gte": self.first_id, "$lte": self.last_id}
            return {**mine, "silence.due_at": self.first, "_id": ids}
        return {**mine, "silence.due_at": {"$gte": self.first, "$lt": self.last + TICK}}


def ranges(
    as_of: datetime, moments: Mapping[ObjectId, datetime], size: int
) -> Iterator[tuple[Range, datetime]]:
    """What is to be looked at, in ranges of `size` deals, each with the moment that it is looked at.

    `moments`: of workspaces that have one of their own, after `as_of`. Two queries, whatever the number of
    workspaces: for what is due, and for what nobody has looked at yet. 2,000 rows are kept at a time.
    """
    latest = max(moments.values(), default=as_of)
    for due in ({"$lt": latest + TICK}, None):
        rows = Deal._get_collection().find(
            {"status": "open", "silence.due_at": due},
            {"workspace_id": 1, "silence.due_at": 1},
            sort=[("workspace_id", 1), ("silence.due_at", 1), ("_id", 1)],
            batch_size=READ_AT_ONCE,
            allow_disk_use=True,
        )
        ripe = (row for row in rows if _is_ripe(row, moments.get(row["workspace_id"], as_of)))
        for part in _merged(_moments(ripe, size), size):
            yield part, moments.get(part.workspace_id, as_of)


def look(part: Range, as_of: datetime, rules: StaleDealRules, batch: str) -> int:
    """Look at a range's deals; returns how many. One update; safe to run twice.

    Those that reach another level have that noted, to be announced by `batch`.
    """
    found = Deal._get_collection().update_many(part.query, silence.looked_at(as_of, rules, batch))
    return int(found.modified_count)


def replan(rules: Mapping[ObjectId, StaleDealRules], moment: datetime) -> None:
    """Have the open deals of these workspaces looked at now, unless they are planned by these rules.

    One command. Safe to run twice. The days are set, too: an activity before that look plans by them.
    """
    updates = [
        UpdateMany(_planned_otherwise(each, new), {"$set": {"silence.due_at": moment, **_days(new)}})
        for each, new in rules.items()
    ]
    if updates:
        Deal._get_collection().bulk_write(updates, ordered=False)


def alerted(batch: str) -> list[Deal]:
    """Deals with something to announce that came about in this batch. One indexed query."""
    return _deals({"silence.unannounced.batch": batch})


def left_over(first: str, before: str, limit: int) -> list[Deal]:
    """As `alerted`, for all batches whose names lie between these two, by the alphabet."""
    return _deals({"silence.unannounced.batch": {"$gte": first, "$lt": before}}, limit)


def announced(deals: Iterable[Deal]) -> None:
    """Clear what was published, unless more has come since. One command; safe to run twice."""
    _clear("silence.unannounced", {deal.id: _stored(deal) for deal in deals})


def ended(about: Mapping[str, Any] | None = None, limit: int = 0) -> list[Deal]:
    """Deals with alerted silences that are over, whose tasks are yet to be closed. One indexed query.

    `about`: a filter that finds few deals.
    """
    found = _deals(about or {"silence.ended": {"$exists": True}}, limit)
    return [deal for deal in found if deal.silence and deal.silence.ended]


def forget_ended(deals: Iterable[Deal]) -> None:
    """Their tasks are closed. Unless more has come since. One command; safe to run twice."""
    _clear("silence.ended", {deal.id: list(deal.silence.ended) for deal in deals})


def close(workspace_id: ObjectId, deal_id: ObjectId) -> None:
    """It is won or lost: nobody has to be alerted of it any more. Safe to run twice."""
    alerted = {"_id": deal_id, "workspace_id": workspace_id, "silence.level": {"$exists": True}}
    Deal._get_collection().update_one(alerted, silence.closed())


def _planned_otherwise(workspace_id: ObjectId, rules: StaleDealRules) -> dict[str, Any]:
    others = [{name: {"$ne": number}} for name, number in _days(rules).items()]
    return {"workspace_id": workspace_id, "status": "open", "$or": others}


def _days(rules: StaleDealRules) -> dict[str, int]:
    return {"silence.stale_days": rules.stale_days, "silence.at_risk_days": rules.at_risk_days}


def _is_ripe(row: dict[str, Any], as_of: datetime) -> bool:
    due_at: datetime | None = row.get("silence", {}).get("due_at")
    return due_at is None or due_at <= as_of


def _moments(rows: Iterable[dict[str, Any]], size: int) -> Iterator[tuple[Range, bool]]:
    """Ranges of one moment each, and whether all that is due at it is in it."""
    for (workspace_id, due_at), found in groupby(rows, key=_place):
        ids = (row["_id"] for row in found)
        part = list(islice(ids, size))
        is_whole = len(part) < size and due_at is not None
        while part:
            yield Range(workspace_id, due_at, due_at, part[0], part[-1], len(part)), is_whole
            part = list(islice(ids, size))


def _merged(parts: Iterable[tuple[Range, bool]], size: int) -> Iterator[Range]:
    """Whole moments that follow each other together, up to `size` deals."""
    held: Range | None = None
    for part, is_whole in parts:
        if held and is_whole and held.workspace_id == part.workspace_id and held.deals + part.deals <= size:
            held = replace(held, last=part.last, last_id=part.last_id, deals=held.deals + part.deals)
            continue
        if held:
            yield held
        held = part if is_whole else None
        if not is_whole:
            yield part
    if held:
        yield held


def _place(row: dict[str, Any]) -> tuple[ObjectId, datetime | None]:
    return row["workspace_id"], row.get("silence", {}).get("due_at")


def _deals(query: Mapping[str, Any], limit: int = 0) -> list[Deal]:
    found: Sequence[Deal] = Deal.objects(__raw__=dict(query)).only(*READ)
    return list(found[:limit] if limit else found)


def _stored(deal: Deal) -> list[Any]:
    return [alert.to_mongo().to_dict() for alert in deal.silence.unannounced]


def _clear(field: str, told: Mapping[ObjectId, list[Any]]) -> None:
    updates = [
        UpdateOne({"_id": each, field: value}, {"$unset": {field: ""}}) for each, value in told.items()
    ]
    if updates:
        Deal._get_collection().bulk_write(updates, ordered=False)
