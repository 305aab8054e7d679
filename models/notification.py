"""What a person should know: shown in the CRM, once per key."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

import config
from models import retention
from models.personal import Person, delete
from models.store import now


class Notification(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField()  # whom it tells about, if it is one
    user_id = ObjectIdField()  # None: every admin of the workspace
    kind = StringField(required=True)
    message = StringField(required=True)
    key = StringField(required=True)  # unique: the same notice is given once
    created_at = DateTimeField(default=now)
    read_at = DateTimeField()
    expires_at = DateTimeField()  # absent: kept for ever

    meta = {
        "collection": "notifications",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["key"], "unique": True},
            {"fields": ["user_id", "-created_at"]},
            {"fields": ["contact_id"], "sparse": True},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }

    @classmethod
    def notify(
        cls,
        *,
        workspace_id: ObjectId,
        user_id: ObjectId | None,
        kind: str,
        message: str,
        key: str,
        contact_id: ObjectId | None = None,
    ) -> bool:
        """Tell once, as long as the notice is kept; returns whether this call did. Safe to run twice."""
        moment = now()
        notice: dict[str, Any] = {
            "workspace_id": workspace_id,
            "user_id": user_id,
            "kind": kind,
            "message": message,
        }
        if contact_id:
            notice["contact_id"] = contact_id
        if expires_at := retention.expiry(moment, config.settings().notifications_keep_days):
            notice["expires_at"] = expires_at
        result = cls._get_collection().update_one(
            {"key": key}, {"$setOnInsert": {**notice, "created_at": moment}}, upsert=True
        )
        return result.upserted_id is not None

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
