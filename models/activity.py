"""The timeline of a contact, company or deal: what happened, once per source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, ObjectIdField, Q, StringField

from models import store
from models.by_contact import of_contacts
from models.contact import Contact
from models.personal import Person, delete
from models.store import now


@dataclass(frozen=True)
class About:
    """Whose timeline: one of them."""

    contact_id: ObjectId | None = None
    company_id: ObjectId | None = None
    deal_id: ObjectId | None = None


class Activity(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField()
    company_id = ObjectIdField()
    deal_id = ObjectIdField()
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
            ["contact_id", "-happened_at", "-_id"],
            ["contact_id", "kind"],  # the few calls and meetings among all that happened
            *(
                {
                    "fields": [about, "-happened_at", "-_id"],
                    "partialFilterExpression": {about: {"$exists": True}},
                }
                for about in ("company_id", "deal_id")
            ),
        ],
    }

    @classmethod
    def record(cls, **entry: Any) -> bool:
        """Enter it unless its source is known; returns whether it is new. Safe to run twice.

        `entry`: workspace_id, kind, title, source, happened_at; contact_id, company_id, deal_id and details
        where there are some.
        """
        return cls.record_all([entry]) == 1

    @classmethod
    def record_all(cls, entries: Sequence[Mapping[str, Any]]) -> int:
        """Enter those whose source is not known, with one insert; returns how many. Safe to run twice.

        `entries`: the arguments of `record`.
        """
        moment = now()
        rows = [{"details": {}, "created_at": moment, **entry} for entry in entries]
        return len(rows) - len(store.insert_new(cls, rows))

    @classmethod
    def timeline(
        cls,
        workspace_id: ObjectId,
        about: About,
        limit: int,
        after: tuple[datetime, ObjectId] | None = None,
    ) -> list[Activity]:
        """What happened with a contact, company or deal, the latest first.

        `after`: the time and id of the entry before the page; an entry that is added meanwhile moves none.
        A company's is that of its contacts, too. Two queries at most.
        """
        found = cls.objects(_about(workspace_id, about), workspace_id=workspace_id)
        if after:
            moment, entry_id = after
            same = Q(happened_at=moment, id__lt=entry_id)
            found = found.filter(Q(happened_at__lte=moment) & (Q(happened_at__lt=moment) | same))
        return list(found.order_by("-happened_at", "-id").limit(limit))

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
    def by_contacts(
        cls, workspace_id: ObjectId, contact_ids: Sequence[ObjectId], kinds: Sequence[str]
    ) -> set[ObjectId]:
        """Those of the contacts that have an entry of one of these kinds. One query."""
        return of_contacts(cls, contact_ids, {"workspace_id": workspace_id, "kind": {"$in": list(kinds)}})

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})


def _about(workspace_id: ObjectId, about: About) -> Q:
    if about.company_id is None:
        return Q(contact_id=about.contact_id) if about.contact_id else Q(deal_id=about.deal_id)
    people = Contact.of_company(workspace_id, about.company_id)
    return Q(company_id=about.company_id) | Q(contact_id__in=people)
