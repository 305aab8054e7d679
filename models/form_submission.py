"""One filled-in form, stored once per key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, NotUniqueError, ObjectIdField, StringField

from models.by_contact import of_contacts
from models.event import EventRecord
from models.personal import Person, delete, left_behind
from models.store import now
from schemas.event import key_of


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
            {
                "fields": ["workspace_id", "visitor_id"],
                "partialFilterExpression": {"visitor_id": {"$exists": True}},
            },
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

    @classmethod
    def by_contacts(
        cls, workspace_id: ObjectId, contact_ids: Sequence[ObjectId], form_ids: Sequence[ObjectId] | None
    ) -> set[ObjectId]:
        """Those of the contacts that filled in one of these forms; None: any form. One query."""
        counts: dict[str, Any] = {"workspace_id": workspace_id}
        if form_ids is not None:
            counts["form_id"] = {"$in": list(form_ids)}
        return of_contacts(cls, contact_ids, counts)

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what the person filled in, and the events that told of it; returns how many did."""
        queries = left_behind(person, came="submitted_at")
        return sum(delete(cls, query, before=partial(_erase_events, person)) for query in queries)


def _erase_events(person: Person, ids: list[ObjectId]) -> None:
    EventRecord.erase_keys(key_of("form.submitted", person.workspace_id, each) for each in ids)
