"""Something a person has to do, created once per key."""

from __future__ import annotations

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.personal import Person, delete
from models.store import now


class Task(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField()
    assigned_to = ObjectIdField()
    title = StringField(required=True)
    status = StringField(choices=("open", "completed"), default="open")
    key = StringField(required=True)  # unique: the same task is created once
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "tasks",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["key"], "unique": True},
            {"fields": ["assigned_to", "status"]},
            {"fields": ["contact_id"], "sparse": True},
        ],
    }

    @classmethod
    def create_once(
        cls,
        *,
        workspace_id: ObjectId,
        contact_id: ObjectId | None,
        assigned_to: ObjectId | None,
        title: str,
        key: str,
    ) -> bool:
        """Create it unless its key is known; returns whether it is new. Safe to run twice."""
        task = {
            "workspace_id": workspace_id,
            "contact_id": contact_id,
            "assigned_to": assigned_to,
            "title": title,
            "status": "open",
            "created_at": now(),
        }
        result = cls._get_collection().update_one({"key": key}, {"$setOnInsert": task}, upsert=True)
        return result.upserted_id is not None

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
