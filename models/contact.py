"""A person in the CRM."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    NotUniqueError,
    ObjectIdField,
    StringField,
)

from models.store import now

STAGES = ("subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist")


def _update(fields: dict[str, Any], *, overwrite: bool) -> list[dict[str, Any]]:
    """An update pipeline: it sees the stored values, so nothing is loaded first."""
    changes: dict[str, Any] = {"updated_at": now()}
    for name, value in fields.items():
        if name == "tags":
            changes[name] = {"$setUnion": [{"$ifNull": ["$tags", []]}, value]}
        elif name == "custom_fields":
            pair = ["$custom_fields", {"$literal": value}]
            changes[name] = {"$mergeObjects": pair if overwrite else pair[::-1]}
        else:  # $literal: a value that begins with $ is text, not a field's name
            literal = {"$literal": value}
            changes[name] = literal if overwrite else {"$ifNull": [f"${name}", literal]}
    return [{"$set": changes}]


class Contact(Document):
    workspace_id = ObjectIdField(required=True)
    email = StringField(required=True)  # lower case, unique in its workspace
    first_name = StringField()
    last_name = StringField()
    company = StringField()
    job_title = StringField()
    phone = StringField()
    status = StringField(choices=("lead", "contact", "customer"), default="lead")
    lifecycle_stage = StringField(choices=STAGES, default="lead")
    source = StringField()
    tags = ListField(StringField())
    custom_fields = DictField()
    lead_score = IntField()
    lead_grade = StringField(choices=("A", "B", "C", "D"))
    lead_score_reasons = ListField(StringField())
    assigned_to = ObjectIdField()
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)
    last_activity_at = DateTimeField()

    meta = {
        "collection": "contacts",
        "auto_create_index": False,
        "indexes": [{"fields": ["workspace_id", "email"], "unique": True}],
    }

    @classmethod
    def upsert(
        cls, workspace_id: ObjectId, email: str, fields: dict[str, Any], *, overwrite: bool = True
    ) -> tuple[Contact, bool]:
        """Create the contact, or update the one with this e-mail; returns it and whether it is new.

        `fields` by their stored names; None means not given. With `overwrite` false only empty fields are
        filled. Tags are added, never removed. Safe to run twice and at the same time: the e-mail is unique
        in its workspace.
        """
        key = {"workspace_id": workspace_id, "email": email.strip().lower()}
        given = {name: value for name, value in fields.items() if value is not None}
        update = _update(given, overwrite=overwrite)
        if not cls._get_collection().update_one(key, update).matched_count:
            try:
                return cls(**key, **given).save(force_insert=True), True
            except NotUniqueError:  # somebody was faster: then it is an update
                cls._get_collection().update_one(key, update)
        return cls.objects.get(**key), False

    def assign(self, owner_id: ObjectId) -> bool:
        """Give the contact an owner unless it has one; returns whether this call did."""
        return bool(Contact.objects(id=self.id, assigned_to=None).update_one(set__assigned_to=owner_id))

    def record_score(self, score: int, grade: str, reasons: list[str]) -> None:
        Contact.objects(id=self.id).update_one(
            set__lead_score=score, set__lead_grade=grade, set__lead_score_reasons=reasons
        )

    @classmethod
    def touch(cls, ids: list[ObjectId], at: datetime) -> None:
        """Move the last-activity stamps forward, never backwards."""
        cls.objects(id__in=ids).update(max__last_activity_at=at)
