"""A browser that visits a workspace's pages, and the contact behind it once it is identified."""

from __future__ import annotations

from collections.abc import Iterable

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.store import now


def visitor_key(workspace_id: ObjectId, visitor_id: str) -> str:
    """The stored id of a workspace's visitor."""
    return f"{workspace_id}:{visitor_id}"


class Visitor(Document):
    id = StringField(primary_key=True)
    contact_id = ObjectIdField(required=True)
    created_at = DateTimeField(default=now)

    meta = {"collection": "visitors", "auto_create_index": False, "strict": False}

    @classmethod
    def identify(cls, workspace_id: ObjectId, visitor_id: str, contact_id: ObjectId) -> None:
        """The visitor is this contact from now on. Safe to run twice."""
        cls._get_collection().update_one(
            {"_id": visitor_key(workspace_id, visitor_id)},
            {"$set": {"contact_id": contact_id}, "$setOnInsert": {"created_at": now()}},
            upsert=True,
        )

    @classmethod
    def contacts_of(cls, keys: Iterable[str]) -> dict[str, ObjectId]:
        """The contacts of those visitors that are identified, by `visitor_key`. One query."""
        return {visitor.id: visitor.contact_id for visitor in cls.objects(id__in=list(keys))}
