"""The timeline of a contact: what happened, once per source."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, ObjectIdField, StringField

from models.store import now


class Activity(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField(required=True)
    kind = StringField(required=True)  # contact_created, email_received, page_viewed, form_submitted, …
    title = StringField(required=True)
    details = DictField()
    source = StringField(required=True)  # unique: the same happening is entered once
    happened_at = DateTimeField(required=True)
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "activities",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["source"], "unique": True},
            {"fields": ["contact_id", "-happened_at"]},
        ],
    }

    @classmethod
    def record(
        cls,
        *,
        workspace_id: ObjectId,
        contact_id: ObjectId,
        kind: str,
        title: str,
        source: str,
        happened_at: datetime,
        details: dict[str, Any] | None = None,
    ) -> bool:
        """Enter it unless its source is known; returns whether it is new. Safe to run twice."""
        entry = {
            "workspace_id": workspace_id,
            "contact_id": contact_id,
            "kind": kind,
            "title": title,
            "happened_at": happened_at,
            "details": details or {},
            "created_at": now(),
        }
        result = cls._get_collection().update_one({"source": source}, {"$setOnInsert": entry}, upsert=True)
        return result.upserted_id is not None
