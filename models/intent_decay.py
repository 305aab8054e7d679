"""Let intent fade: in ranges of contacts, each with one update that the store computes from what it holds.

A range is the contacts of a workspace that are due between two moments. The moments are keyset and guard at
once: who has decayed is due later, and has left the range. It does to each signal what `intent.decayed` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import Int64, ObjectId

from models.contact import Contact
from models.intent import DAY, TICK
from models.store import LEAST
from schemas.rules import IntentRules

Expression = dict[str, Any]

INDEX = [("workspace_id", 1), ("intent.due_at", 1)]  # no planner is to choose otherwise
READ_AT_ONCE = 2_000  # rows of the planner's query in memory
SIGNALS: Expression = {"$objectToArray": "$intent.signals"}  # each `{k: kind, v: signal}`
DAY_MS = Int64(DAY.total_seconds() * 1_000)


@dataclass(frozen=True)
class Range:
    """Contacts of a workspace that are due from `first` to `last`; those of one moment stay together."""

    workspace_id: ObjectId
    first: datetime
    last: datetime
    contacts: int = 0  # known to the planner


def ranges(as_of: datetime, size: int) -> Iterator[Range]:
    """What is due at a moment, in ranges of `size` contacts. One query, whatever the number of workspaces.

    It reads index entries only, and keeps 2,000 of them at a time. Contacts that are due at the very same
    millisecond are in the same range.
    """
    rows = Contact._get_collection().find(
        due(as_of),
        {"_id": 0, "workspace_id": 1, "intent.due_at": 1},
        sort=INDEX,
        batch_size=READ_AT_ONCE,
        hint=INDEX,
    )
    current: Range | None = None
    for row in rows:
        workspace_id, due_at = row["workspace_id"], row["intent"]["due_at"]
        if current and current.workspace_id == workspace_id and _has_room(current, due_at, size):
            current = Range(workspace_id, current.first, due_at, current.contacts + 1)
            continue
        if current:
            yield current
        current = Range(workspace_id, due_at, due_at, 1)
    if current:
        yield current


def due(as_of: datetime) -> dict[str, Any]:
    """The filter that finds who is due at a moment, by index entries alone: see `store.LEAST`."""
    return {"workspace_id": {"$gte": LEAST}, "intent.due_at": {"$lte": as_of}}


def decay(part: Range, as_of: datetime, rules: IntentRules, *, occasion: str, batch: str) -> int:
    """Let a range's signals fade up to a moment; returns how many contacts. One update; safe to run twice.

    Who reaches another level has that noted, to be announced by `batch`.
    """
    due = {"$gte": part.first, "$lte": min(part.last, as_of)}
    contacts = {"workspace_id": part.workspace_id, "intent.due_at": due}
    found = Contact._get_collection().update_many(contacts, pipeline(as_of, rules, occasion, batch))
    return int(found.modified_count)


def pipeline(as_of: datetime, rules: IntentRules, occasion: str, batch: str) -> list[Expression]:
    """The update of one contact."""
    return [
        {"$set": {"intent.signals": _faded(as_of, rules)}},
        {
            "$set": {
                "intent_score": _score(),
                "intent.version": {"$add": [{"$ifNull": ["$intent.version", 0]}, 1]},
                "intent.due_at": _due_at(),
                "intent.unannounced": _announcements(rules, occasion, batch),
            }
        },
    ]


def _has_room(part: Range, due_at: datetime, size: int) -> bool:
    return part.contacts < size or due_at == part.last


def _faded(as_of: datetime, rules: IntentRules) -> Expression:
    """The signals as they are left, without those that are removed. `$$s`: one of them, kind and value."""
    last = {"$ifNull": ["$$s.v.decayed_at", "$$s.v.since"]}
    whole_days = {"$toInt": {"$floor": {"$divide": [{"$subtract": [as_of, last]}, DAY_MS]}}}
    points = {"$subtract": ["$$s.v.points", {"$multiply": ["$$days", rules.decay_per_day]}]}
    left = {
        "points": "$$points",  # above 0, as what is less than that was below what is kept
        "since": "$$s.v.since",
        "decayed_at": {"$add": [last, {"$multiply": ["$$days", DAY_MS]}]},
    }
    kept = {"$cond": [{"$lt": ["$$points", rules.remove_below]}, None, {"k": "$$s.k", "v": left}]}
    is_due = {"$and": [{"$gte": ["$$days", 1]}, {"$lt": ["$$s.v.since", as_of - DAY]}]}
    faded = _let("days", whole_days, {"$cond": [is_due, _let("points", points, kept), "$$s"]})
    each = {"$map": {"input": SIGNALS, "as": "s", "in": faded}}
    return {"$arrayToObject": {"$filter": {"input": each, "as": "s", "cond": {"$ne": ["$$s", None]}}}}


def _let(name: str, value: Expression, then: Expression) -> Expression:
    return {"$let": {"vars": {name: value}, "in": then}}


def _score() -> Expression:
    return {"$sum": {"$map": {"input": SIGNALS, "as": "s", "in": "$$s.v.points"}}}


def _due_at() -> Expression:
    """As `intent.due_at`; absent without a signal."""
    first = {"$add": ["$$s.v.since", DAY_MS + int(TICK.total_seconds() * 1_000)]}
    due_at = {"$ifNull": [{"$add": ["$$s.v.decayed_at", DAY_MS]}, first]}
    soonest = {"$min": {"$map": {"input": SIGNALS, "as": "s", "in": due_at}}}
    return {"$ifNull": [soonest, "$$REMOVE"]}


def _announcements(rules: IntentRules, occasion: str, batch: str) -> Expression:
    """Within the update that sets the score, `$intent_score` is still the one before."""
    before, after = _level({"$ifNull": ["$intent_score", 0]}, rules), _level("$$score", rules)
    told = {"level": after, "previous_level": before, "score": "$$score"}
    entry = {**told, "occasion": occasion, "batch": batch}
    more = {"$concatArrays": [{"$ifNull": ["$intent.unannounced", []]}, [entry]]}
    as_it_is = {"$ifNull": ["$intent.unannounced", "$$REMOVE"]}
    return _let("score", _score(), {"$cond": [{"$eq": [before, after]}, as_it_is, more]})


def _level(score: str | Expression, rules: IntentRules) -> Expression:
    medium = {"$cond": [{"$gte": [score, rules.medium]}, "medium", "low"]}
    return {"$cond": [{"$gte": [score, rules.high]}, "high", medium]}
