"""The record of a lost lead that is worked once more: one per contact and loss."""

from __future__ import annotations

from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.personal import Person, delete
from models.recycling import LOST
from models.store import now


class LeadRecycling(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField(required=True)
    lost_at = DateTimeField(required=True)
    lost_as = StringField(choices=LOST, required=True)
    interest_at = DateTimeField(required=True)  # when the contact had shown interest last
    recycled_at = DateTimeField(required=True)
    enrolment_id = ObjectIdField()  # in the re-engagement sequence, where there is one
    task_id = ObjectIdField()
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "lead_recyclings",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["contact_id", "lost_at"], "unique": True},
            {"fields": ["workspace_id", "-recycled_at"]},
        ],
    }

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
