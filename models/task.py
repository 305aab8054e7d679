"""Something a person has to do, created once per key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.personal import Person, delete
from models.store import insert_new, now


class Task(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField()
    deal_id = ObjectIdField()
    assigned_to = ObjectIdField()
    title = StringField(required=True)
    status = StringField(choices=("open", "completed", "cancelled"), default="open")
    key = StringField(required=True)  # unique: the same task is created once
    created_at = DateTimeField(default=now)
    completed_at = DateTimeField()
    closed_by = StringField()  # why the system completed it, like `deal.active`; absent: somebody did

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
        deal_id: ObjectId | None = None,
    ) -> Task:
        """Create it unless its key is known; returns what is stored under it. Safe to run twice."""
        task = {
            "workspace_id": workspace_id,
            "contact_id": contact_id,
            "assigned_to": assigned_to,
            "title": title,
            "status": "open",
            "created_at": now(),
        }
        if deal_id:
            task["deal_id"] = deal_id
        cls._get_collection().update_one({"key": key}, {"$setOnInsert": task}, upsert=True)
        stored: Task = cls.objects.get(key=key)
        return stored

    @classmethod
    def create_all(cls, rows: Sequence[dict[str, Any]]) -> dict[str, Task]:
        """As `create_once`, for many; returns what is stored under their keys. Two commands."""
        insert_new(cls, [{"status": "open", "created_at": now(), **row} for row in rows])
        return {task.key: task for task in cls.objects(key__in=[row["key"] for row in rows])}

    @classmethod
    def complete_all(cls, keys: Sequence[str], at: datetime, closed_by: str) -> list[Task]:
        """Complete those of these keys that are open; returns all that were completed by this cause.

        Two commands. Safe to run twice: a task that is done keeps its time.
        """
        done = {"status": "completed", "completed_at": at, "closed_by": closed_by}
        cls._get_collection().update_many({"key": {"$in": list(keys)}, "status": "open"}, {"$set": done})
        return list(cls.objects(key__in=list(keys), status="completed", closed_by=closed_by))

    @classmethod
    def cancel_of(cls, workspace_id: ObjectId, contact_id: ObjectId) -> int:
        """Nothing is to be done about the contact any more; returns how many were open. Safe to run twice."""
        found = cls.objects(contact_id=contact_id, workspace_id=workspace_id, status="open")
        return int(found.update(set__status="cancelled"))

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
