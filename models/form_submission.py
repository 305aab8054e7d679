"""One filled-in form, stored once per key."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, NotUniqueError, ObjectIdField, StringField

from models.store import now


class FormSubmission(Document):
    workspace_id = ObjectIdField(required=True)
    form_id = ObjectIdField(required=True)
    key = StringField(required=True)  # unique in its form: the same submission is stored once
    values = DictField()
    visitor_id = StringField()
    contact_id = ObjectIdField()  # None: the form asked for no e-mail
    submitted_at = DateTimeField(default=now)

    meta = {
        "collection": "form_submissions",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["form_id", "key"], "unique": True},
            {"fields": ["contact_id", "-submitted_at"]},
        ],
    }

    @classmethod
    def known(cls, form_id: ObjectId, keys: list[str]) -> FormSubmission | None:
        """The submission with one of these keys."""
        found: FormSubmission | None = cls.objects(form_id=form_id, key__in=keys).first()
        return found

    @classmethod
    def store_once(cls, *, form_id: ObjectId, key: str, **fields: Any) -> tuple[FormSubmission, bool]:
        """Store it unless its key is known; returns what is stored and whether it is new.

        Safe to run twice, and at the same time.
        """
        try:
            return cls(form_id=form_id, key=key, **fields).save(force_insert=True), True
        except NotUniqueError:
            return cls.objects.get(form_id=form_id, key=key), False
