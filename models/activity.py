"""The timeline of a contact: what happened, once per source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, ObjectIdField, StringField
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from models.personal import Person, delete
from models.store import DUPLICATE_KEY, now


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
            "source": source,
            "workspace_id": workspace_id,
            "contact_id": contact_id,
            "kind": kind,
            "title": title,
            "happened_at": happened_at,
            "details": details or {},
        }
        return cls.record_all([entry]) == 1

    @classmethod
    def record_all(cls, entries: Sequence[dict[str, Any]]) -> int:
        """Enter those whose source is not known, with one store command; returns how many. Safe to run twice.

        `entries`: the arguments of `record`.
        """
        moment = now()
        writes = [
            UpdateOne(
                {"source": entry["source"]}, {"$setOnInsert": {"created_at": moment, **entry}}, upsert=True
            )
            for entry in entries
        ]
        try:
            return int(cls._get_collection().bulk_write(writes, ordered=False).upserted_count)
        except BulkWriteError as error:  # entered by somebody else at this very moment
            if any(problem["code"] != DUPLICATE_KEY for problem in error.details["writeErrors"]):
                raise
            return int(error.details["nUpserted"])

    @classmethod
    def enter(cls, *, source: str, **entry: Any) -> Activity:
        """As `record`, but returns what is stored under the source."""
        cls.record(source=source, **entry)
        stored: Activity = cls.objects.get(source=source)
        return stored

    @classmethod
    def known(cls, sources: list[str]) -> Activity | None:
        """The entry of one of these sources."""
        found: Activity | None = cls.objects(source__in=sources).first()
        return found

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
