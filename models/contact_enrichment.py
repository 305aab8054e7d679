"""What other services know of contacts: who is due to be asked for, and what may be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from models.contact import Contact
from models.store import LEAST

INDEX = [
    ("workspace_id", 1),
    ("enriched_at", 1),
    ("_id", 1),
]  # no planner is to choose otherwise
READ_AT_ONCE = 2_000  # rows of the planner's query in memory


@dataclass(frozen=True)
class Enriched:
    """What is to be stored of one contact. `changes` by stored names, empty for a miss."""

    contact: Contact
    changes: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)  # what `enrichment` holds beside the changes


def due(before: datetime) -> Iterator[tuple[ObjectId, ObjectId]]:
    """Workspaces and contacts that were not enriched since a moment: by workspace, the longest first.

    One query over all workspaces, which reads index entries only, 2,000 at a time.
    """
    rows = Contact._get_collection().find(
        waiting(before),
        {"workspace_id": 1},
        sort=INDEX[:2],
        batch_size=READ_AT_ONCE,
        hint=INDEX,
    )
    return ((row["workspace_id"], row["_id"]) for row in rows)


def waiting(before: datetime) -> dict[str, Any]:
    """The filter that finds who is due, never enriched ones included, by its index: see `store.LEAST`."""
    return {"workspace_id": {"$gte": LEAST}, "enriched_at": {"$not": {"$gte": before}}}


def of(workspace_id: ObjectId, contact_ids: Sequence[ObjectId]) -> list[Contact]:
    """Those of the contacts that are there. One query."""
    return list(Contact.objects(workspace_id=workspace_id, id__in=contact_ids))


def store(results: Iterable[Enriched], at: datetime) -> None:
    """Store what was found, and that it was looked for, with one command.

    A contact whose fields somebody has edited since they were read is left as it is, and is due again. What
    changed is noted until `announced`. Safe to run twice.
    """
    updates = [UpdateOne(_guard(each), _change(each, at)) for each in results]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


def announced(told: Mapping[ObjectId, Sequence[str]]) -> None:
    """Clear what was published of each contact, unless more has come since. One command."""
    field_name = "enrichment.unannounced"
    updates = [
        UpdateOne({"_id": contact_id, field_name: list(names)}, {"$unset": {field_name: ""}})
        for contact_id, names in told.items()
    ]
    if updates:
        Contact._get_collection().bulk_write(updates, ordered=False)


def _guard(result: Enriched) -> dict[str, Any]:
    """Its fields still hold what was read; an empty one may also be missing."""
    contact = result.contact
    as_read = {name: contact[name] or {"$in": [None, ""]} for name in result.changes}
    return {"_id": contact.id, "enriched_at": contact.enriched_at, **as_read}


def _change(result: Enriched, at: datetime) -> dict[str, Any]:
    written = {f"enrichment.written.{name}": value for name, value in result.changes.items()}
    found = {f"enrichment.{name}": value for name, value in result.found.items()}
    change: dict[str, Any] = {"$set": {"enriched_at": at, **result.changes, **written, **found}}
    if result.changes:
        change["$set"]["updated_at"] = at
        change["$addToSet"] = {"enrichment.unannounced": {"$each": sorted(result.changes)}}
    return change
