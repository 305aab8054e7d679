"""Count events in a contact's intent score, and say once which levels it reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from models import intent, lifecycle
from models.contact import Contact
from models.intent import Source
from models.intent_source import IntentSource
from models.store import now
from schemas.rules import IntentRules

Sources = Mapping[ObjectId, Sequence[Source]]  # of each contact
Rows = Mapping[ObjectId, dict[str, Any]]

AT_ONCE = 5_000  # contacts of a batch, in one answer
READ = {"workspace_id": 1, "intent": 1, "intent_score": 1}


@dataclass(frozen=True)
class Crossed:
    """Levels that a contact reached, yet to be published, as `IntentCrossing` stores them."""

    contact_id: ObjectId
    workspace_id: ObjectId
    crossings: Sequence[dict[str, Any]]


def count(workspace_id: ObjectId, sources: Sources, rules: IntentRules) -> list[Crossed]:
    """Count events in contacts' scores and move their last-activity stamps; returns what to announce.

    Each event is counted once, whoever delivers it and however often: what is counted stands in the contact,
    or as an `IntentSource` from before it left there, and an update applies to the version that was read.
    A query and an update, whatever the number of contacts; two more when a contact has too many to remember.
    A contact that was deleted, or is another workspace's, is left out. Safe to run twice.
    """
    contacts = Contact._get_collection()
    told: dict[ObjectId, dict[str, Any]] = {}
    mine = {"_id": {"$in": list(sources)}, "workspace_id": workspace_id}
    while sources:
        rows = {row["_id"]: row for row in contacts.find(mine, READ)}
        new = _new(rows, sources)
        changes = {each: _changes(rows[each], found, rules) for each, found in new.items()}
        told |= {each: row | changes.get(each, {}) for each, row in rows.items()}
        IntentSource.note(_forgotten(rows, changes))
        updates = [_update(rows[each], change, new[each]) for each, change in changes.items()]
        if not updates or contacts.bulk_write(updates, ordered=False).matched_count == len(updates):
            break  # otherwise somebody else changed one: what is counted by now is seen at the next look
    return _crossed(told.values())


def crossed(batch: str) -> list[Crossed]:
    """Contacts with something to announce that came about in this batch. One indexed query."""
    found = Contact._get_collection().find({"intent.unannounced.batch": batch}, READ, batch_size=AT_ONCE)
    return _crossed(found)


def left_over(first: str, before: str, limit: int) -> list[Crossed]:
    """As `crossed`, for all batches whose names lie between these two, by the alphabet."""
    names = {"$gte": first, "$lt": before}
    return _crossed(Contact._get_collection().find({"intent.unannounced.batch": names}, READ).limit(limit))


def announced(told: Iterable[Crossed]) -> None:
    """Clear what was published, unless more has come since. One command; safe to run twice."""
    updates = [
        UpdateOne(
            {"_id": each.contact_id, "intent.unannounced": list(each.crossings)},
            {"$unset": {"intent.unannounced": ""}},
        )
        for each in told
    ]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


def _new(rows: Rows, sources: Sources) -> dict[ObjectId, list[Source]]:
    """Those of each contact that are not counted yet, each once."""
    doubtful = [
        source.event_id
        for contact_id, row in rows.items()
        for source in sources[contact_id]
        if "sources_to" in row.get("intent", {}) and source.event_id <= row["intent"]["sources_to"]
    ]
    known = IntentSource.known(doubtful) if doubtful else set()
    found = {each: _of(row, sources[each], known) for each, row in rows.items()}
    return {contact_id: new for contact_id, new in found.items() if new}


def _of(row: dict[str, Any], sources: Sequence[Source], known: set[ObjectId]) -> list[Source]:
    counted = known.union(row.get("intent", {}).get("sources", []), intent.too_late(sources, now()))
    return [each for each in {s.event_id: s for s in sources}.values() if each.event_id not in counted]


def _update(row: dict[str, Any], change: dict[str, Any], new: Sequence[Source]) -> UpdateOne:
    guard = {"_id": row["_id"], "intent.version": row.get("intent", {}).get("version")}
    latest = max(each.at for each in new)
    stamps = {"last_activity_at": latest, "last_interest_at": latest}
    return UpdateOne(guard, {"$set": change, "$max": stamps})


def _changes(row: dict[str, Any], new: Sequence[Source], rules: IntentRules) -> dict[str, Any]:
    """The contact's fields once these are counted."""
    state, before = row.get("intent", {}), row.get("intent_score") or 0
    signals = intent.added(state.get("signals", {}), new, rules)
    score = intent.total(signals)
    told = intent.crossing(before, score, rules, f"event:{new[-1].event_id}")
    after = {
        **state,
        **_remembered(state, [source.event_id for source in new]),
        "version": state.get("version", 0) + 1,
        "signals": signals,
    }
    if told:
        after["unannounced"] = [*state.get("unannounced", []), *told]
    # More of it may make a step along the lifecycle due, and is marked by the same write.
    mark = lifecycle.marked(row["workspace_id"], row["_id"]) if score > before else {}
    return {"intent": after | _due(signals), "intent_score": score, **mark}


def _due(signals: dict[str, Any]) -> dict[str, datetime]:
    return {"due_at": min(map(intent.due_at, signals.values()))} if signals else {}


def _remembered(state: dict[str, Any], new: list[ObjectId]) -> dict[str, Any]:
    """What the contact remembers: the latest events, and which may have been noted as `IntentSource`."""
    known = state.get("sources", [])
    if len(known) + len(new) <= intent.SOURCES or not known:
        return {"sources": [*known, *new]}
    noted = [*known, state["sources_to"]] if "sources_to" in state else known
    return {"sources": new, "sources_to": max(noted)}


def _forgotten(rows: Rows, changes: Mapping[ObjectId, dict[str, Any]]) -> dict[ObjectId, ObjectId]:
    """Events that contacts are about to forget. Noted before, so that each stands in one place always."""
    forgotten: dict[ObjectId, ObjectId] = {}
    for contact_id, change in changes.items():
        kept = set(change["intent"]["sources"])
        known = rows[contact_id].get("intent", {}).get("sources", [])
        forgotten |= {event_id: contact_id for event_id in known if event_id not in kept}
    return forgotten


def _crossed(rows: Iterable[dict[str, Any]]) -> list[Crossed]:
    return [
        Crossed(row["_id"], row["workspace_id"], row["intent"]["unannounced"])
        for row in rows
        if row.get("intent", {}).get("unannounced")
    ]
