"""A chance of business with a contact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bson import ObjectId
from mongoengine import DateTimeField, Document, ListField, ObjectIdField, StringField
from pymongo import UpdateMany

from models.store import now


class Deal(Document):
    workspace_id = ObjectIdField(required=True)
    contact_ids = ListField(ObjectIdField())
    title = StringField(required=True)
    stage = StringField()
    status = StringField(choices=("open", "won", "lost"), default="open")
    assigned_to = ObjectIdField()
    last_activity_at = DateTimeField()
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "deals",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["contact_ids", "status"]}, {"fields": ["workspace_id", "status"]}],
    }

    @classmethod
    def touch(cls, contacts: Mapping[ObjectId, datetime]) -> None:
        """Move the last-activity stamps of the contacts' open deals forward, never backwards."""
        if contacts:
            cls._get_collection().bulk_write(
                [
                    UpdateMany({"contact_ids": contact, "status": "open"}, {"$max": {"last_activity_at": at}})
                    for contact, at in contacts.items()
                ],
                ordered=False,
            )
