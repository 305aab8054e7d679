"""A contact in a sequence: at most one active enrolment per contact and sequence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, Document, IntField, NotUniqueError, ObjectIdField, StringField

from models.personal import Person, delete
from models.store import insert_new, now


class Enrolment(Document):
    workspace_id = ObjectIdField(required=True)
    sequence_id = ObjectIdField(required=True)
    version = IntField(required=True)  # of the sequence when the contact came in: it stays with that one
    contact_id = ObjectIdField(required=True)
    status = StringField(choices=("active", "completed", "stopped"), default="active")
    paused_at = DateTimeField()  # of an active one: no step is sent until somebody resumes it
    key = StringField(required=True)  # unique: the same cause enrols once, even after the contact has left
    enrolled_at = DateTimeField(default=now)

    meta = {
        "collection": "enrolments",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["key"], "unique": True},
            "contact_id",
            {
                "fields": ["contact_id", "sequence_id"],
                "unique": True,
                "partialFilterExpression": {"status": "active"},
            },
        ],
    }

    @classmethod
    def enrol_once(
        cls, *, workspace_id: ObjectId, sequence_id: ObjectId, version: int, contact_id: ObjectId, key: str
    ) -> bool:
        """Enrol the contact; False when it is in the sequence, or this key enrolled it before."""
        enrolment = cls(
            workspace_id=workspace_id,
            sequence_id=sequence_id,
            version=version,
            contact_id=contact_id,
            key=key,
        )
        try:
            enrolment.save(force_insert=True)
        except NotUniqueError:
            return False
        return True

    @classmethod
    def enrol_all(cls, rows: Sequence[dict[str, Any] | None]) -> dict[str, ObjectId]:
        """As `enrol_once`, for many; None is left out. Returns the enrolments of these keys. Two commands."""
        given = [{"status": "active", "enrolled_at": now(), **row} for row in rows if row]
        if not given:
            return {}
        insert_new(cls, given)
        return dict(cls.objects(key__in=[row["key"] for row in given]).scalar("key", "id"))

    @classmethod
    def open_among(cls, contact_ids: Sequence[ObjectId]) -> set[ObjectId]:
        """Those of the contacts that are in a sequence, paused or not. One query."""
        found = cls.objects(contact_id__in=list(contact_ids), status="active")
        return set(found.scalar("contact_id"))

    @classmethod
    def open_of(cls, workspace_id: ObjectId, contact_id: ObjectId) -> list[Enrolment]:
        """Those that the workspace's contact is not through with, paused or not."""
        return list(cls.objects(contact_id=contact_id, workspace_id=workspace_id, status="active"))

    def stop(self) -> None:
        """No further step is sent. Safe to run twice: what has ended stays as it is."""
        Enrolment.objects(id=self.id, status="active").update_one(set__status="stopped")

    def pause(self, at: datetime) -> None:
        """No step is sent until it is resumed. Safe to run twice: what is paused since then stays so."""
        Enrolment.objects(id=self.id, status="active", paused_at=None).update_one(set__paused_at=at)

    def resume(self) -> None:
        """Steps are sent again. Safe to run twice."""
        Enrolment.objects(id=self.id).update_one(unset__paused_at=True)

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
