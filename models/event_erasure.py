"""What the ledger of events forgets when a person asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson import ObjectId

from models.personal import Person, delete


def erase(kind: Any, person: Person, unfinished: Sequence[str]) -> int:
    """Delete the events about the person, except that it was deleted; returns how many.

    Visits on their way, whose events are `unfinished`, lose those of the person. Their job carries none, and
    reads what is left.
    """
    mine = {"payload.contactId": str(person.contact_id), "type": {"$ne": "contact.deleted"}}
    count = delete(kind, mine)
    if person.visitor_ids:
        count += _erase_visits(kind, person, unfinished) + _erase_views(kind, person)
    return count


def _erase_visits(kind: Any, person: Person, unfinished: Sequence[str]) -> int:
    hers = {"$in": list(person.visitor_ids)}
    query = {
        "workspace_id": person.workspace_id,
        "type": "visits.tracked",
        "status": {"$in": list(unfinished)},
        "payload.visits.visitorId": hers,
        "accepted_at": {"$lte": person.until},
    }
    change = {"$pull": {"payload.visits": {"visitorId": hers}}}
    return int(kind._get_collection().update_many(query, change).modified_count)


def _erase_views(kind: Any, person: Person) -> int:
    """Of visits that were deleted before their events were published: the latest, found by their time."""
    query = {
        "_id": {
            "$gte": ObjectId.from_datetime(person.since),
            "$lte": ObjectId.from_datetime(person.until),
        },
        "workspace_id": person.workspace_id,
        "type": "page.viewed",
        "payload.contactId": None,
        "payload.visitorId": {"$in": list(person.visitor_ids)},
    }
    return int(kind._get_collection().delete_many(query).deleted_count)
