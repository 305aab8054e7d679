"""The right to erasure: what each collection does when a person asks to be forgotten (GDPR, article 17).

Every document class under models/ either has a classmethod `erase(cls, person)`, or says in its `meta` why it
needs none: `"personal_data": "none"`. A test asks each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

BATCH = 500  # documents per round


@dataclass(frozen=True)
class Person:
    """Whom a workspace forgets."""

    workspace_id: ObjectId
    contact_id: ObjectId
    email: str | None  # lower case; None: the contact is gone already
    since: datetime  # what a job had begun before that has ended before it was asked to forget
    until: datetime  # what visitors without a contact did later is not the person's: it had been forgotten
    visitor_ids: Sequence[str] = ()  # as their browsers send them


def left_behind(person: Person, came: str) -> list[dict[str, Any]]:
    """Queries for what a visitor leaves: the contact's, and that of its visitors which has no contact yet.

    `came`: the field that says when it did.
    """
    queries: list[dict[str, Any]] = [{"contact_id": person.contact_id}]
    if person.visitor_ids:
        nobodys = {"workspace_id": person.workspace_id, "contact_id": None}
        hers = {"visitor_id": {"$in": list(person.visitor_ids)}, came: {"$lte": person.until}}
        queries.append(nobodys | hers)
    return queries


def delete(kind: Any, query: dict[str, Any], before: Callable[[list[ObjectId]], Any] | None = None) -> int:
    """Delete the documents, in rounds; returns how many. Safe to run twice.

    `before` is called with the ids of each round, for what can only be found through them.
    """
    deleted, documents = 0, kind._get_collection()
    while ids := [found["_id"] for found in documents.find(query, {"_id": 1}).limit(BATCH)]:
        if before:
            before(ids)
        deleted += documents.delete_many({"_id": {"$in": ids}}).deleted_count
    return deleted
