"""The record that a contact was erased: when, at whose command, how much. It holds nothing personal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, IntField, ObjectIdField, StringField

from models.store import now


class Erasure(Document):
    """Its id is that of the contact, of whom nothing else is left."""

    id = ObjectIdField(primary_key=True)
    workspace_id = ObjectIdField(required=True)
    requested_by = StringField(required=True)  # the operator
    requested_at = DateTimeField(default=now)
    erased_at = DateTimeField()  # None: not yet complete
    looks = IntField(default=0)  # how often it was looked again for what was still under way
    checked_at = DateTimeField()  # when such a look found nothing
    counts = DictField()  # collection -> documents removed or made anonymous; `jobs` -> jobs

    meta = {
        "collection": "erasures",
        "auto_create_index": False,
        "strict": False,
        "personal_data": "none",
        "indexes": [["workspace_id", "-requested_at"], "checked_at"],
    }

    @classmethod
    def request(cls, workspace_id: ObjectId, contact_id: ObjectId, by: str) -> Erasure:
        """Record the wish, unless it is recorded; it is to be looked again. Safe to run twice."""
        entry = {"workspace_id": workspace_id, "requested_by": by, "requested_at": now()}
        change = {"$setOnInsert": entry, "$unset": {"checked_at": ""}}
        cls._get_collection().update_one({"_id": contact_id}, change, upsert=True)
        return cls.of(contact_id)

    @classmethod
    def of(cls, contact_id: ObjectId) -> Erasure:
        found: Erasure = cls.objects.get(id=contact_id)
        return found

    @classmethod
    def unchecked(cls) -> list[Erasure]:
        """Those that are complete, and are to be looked at again. One query."""
        return list(cls.objects(checked_at=None, erased_at__exists=True))

    def note(self, counts: Mapping[str, int]) -> None:
        """Add to what was removed."""
        more = {f"counts.{name}": number for name, number in counts.items() if number}
        if more:
            Erasure._get_collection().update_one({"_id": self.id}, {"$inc": more})

    def complete(self) -> None:
        Erasure.objects(id=self.id, erased_at=None).update_one(set__erased_at=now())

    def looked(self, found: int) -> None:
        """It was looked again, which found so much; nothing: that was the last time."""
        change: dict[str, Any] = {"inc__looks": 1} | ({} if found else {"set__checked_at": now()})
        Erasure.objects(id=self.id).update_one(**change)
        self.reload()
