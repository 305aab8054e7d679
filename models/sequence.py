"""A sequence of e-mails that contacts are enrolled in."""

from __future__ import annotations

from bson import ObjectId
from mongoengine import BooleanField, DateTimeField, Document, IntField, ObjectIdField, StringField

from models.store import now


class Sequence(Document):
    workspace_id = ObjectIdField(required=True)
    name = StringField(required=True)
    version = IntField(default=1)
    is_active = BooleanField(default=True)
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "sequences",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": ["workspace_id"],
    }

    @classmethod
    def of(cls, workspace_id: ObjectId, sequence_id: ObjectId) -> Sequence | None:
        found: Sequence | None = cls.objects(id=sequence_id, workspace_id=workspace_id).first()
        return found
