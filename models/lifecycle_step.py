"""The history of contacts' lifecycles: a row per step, for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models import store
from models.personal import Person, delete


class LifecycleStep(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField(required=True)
    stage = StringField(required=True)
    previous_stage = StringField()
    occasion = StringField(required=True)  # what brought it about: unique with contact and stage
    at = DateTimeField(required=True)

    meta = {
        "collection": "lifecycle_steps",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["contact_id", "stage", "occasion"], "unique": True}],
    }

    @classmethod
    def record_all(cls, rows: Sequence[Mapping[str, Any]]) -> int:
        """Enter those that are not known, with one insert; returns how many. Safe to run twice."""
        return len(rows) - len(store.insert_new(cls, rows))

    @classmethod
    def of(cls, contact_id: ObjectId) -> list[LifecycleStep]:
        """A contact's, the first at the top."""
        return list(cls.objects(contact_id=contact_id).order_by("at", "id"))

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
