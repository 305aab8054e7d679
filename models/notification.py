"""What a person should know: shown in the CRM, once per key."""

from __future__ import annotations

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.store import now


class Notification(Document):
    workspace_id = ObjectIdField(required=True)
    user_id = ObjectIdField()  # None: every admin of the workspace
    kind = StringField(required=True)
    message = StringField(required=True)
    key = StringField(required=True)  # unique: the same notice is given once
    created_at = DateTimeField(default=now)
    read_at = DateTimeField()

    meta = {
        "collection": "notifications",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["key"], "unique": True}, {"fields": ["user_id", "-created_at"]}],
    }

    @classmethod
    def notify(
        cls, *, workspace_id: ObjectId, user_id: ObjectId | None, kind: str, message: str, key: str
    ) -> bool:
        """Tell once; returns whether this call did. Safe to run twice."""
        notice = {"workspace_id": workspace_id, "user_id": user_id, "kind": kind, "message": message}
        result = cls._get_collection().update_one(
            {"key": key}, {"$setOnInsert": {**notice, "created_at": now()}}, upsert=True
        )
        return result.upserted_id is not None
