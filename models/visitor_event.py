"""Something a visitor did on a tracked page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import partial

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField
from pymongo import UpdateOne

import config
from models import retention
from models.event import EventRecord
from models.fields import PlainField
from models.personal import Person, delete, left_behind
from models.store import insert_new, now
from schemas.event import key_of

ID_BYTES = 12  # of an ObjectId
PAGE_VIEW = "page_view"


class VisitorEvent(Document):
    """Its id is a hash of what makes it unique: a client's retry stores nothing twice.

    So the id is known before the insert, and the retry of a request that died half-way needs no look-up to
    publish what is missing.
    """

    id = ObjectIdField(primary_key=True)
    workspace_id = ObjectIdField(required=True)
    visitor_id = StringField(required=True)
    session_id = StringField(required=True)
    event_type = StringField(required=True)
    event_name = StringField(required=True)
    url = StringField(required=True)
    referrer = StringField()
    properties = PlainField()
    device = PlainField()
    utm = PlainField()
    sdk_version = StringField()
    happened_at = DateTimeField(required=True)  # by the visitor's clock
    received_at = DateTimeField(default=now)
    contact_id = ObjectIdField()  # None: the visitor is not identified yet
    expires_at = DateTimeField()  # absent: kept for ever

    meta = {
        "collection": "visitor_events",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            ["workspace_id", "visitor_id", "contact_id", "_id"],  # for `link_visitor` and `views_of`
            {
                "fields": ["contact_id", "-happened_at"],
                "partialFilterExpression": {"contact_id": {"$exists": True}},
            },
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }

    def clean(self) -> None:
        self.id = self.id or self.natural_id()
        self.expires_at = retention.expiry(self.received_at, config.settings().visits_keep_days)

    def natural_id(self) -> ObjectId:
        parts = (self.workspace_id, self.visitor_id, self.session_id, self.event_type, self.event_name)
        # Two events of one millisecond, like two measurements of a page, differ in their properties alone.
        properties = json.dumps(self.properties, sort_keys=True)
        text = "\0".join(
            [*map(str, parts), self.url, self.happened_at.isoformat(), properties]
        )  # none has NULs
        return ObjectId(hashlib.sha256(text.encode()).digest()[:ID_BYTES])

    @classmethod
    def store(cls, events: Sequence[VisitorEvent]) -> None:
        """Insert with one command those that are not stored yet. Safe to run twice."""
        for event in events:
            event.clean()
        insert_new(cls, [event.to_mongo() for event in events])

    @classmethod
    def set_contacts(cls, events: Iterable[VisitorEvent]) -> None:
        """Store the contacts of events whose stored copies have none, with one command. Safe to run twice."""
        updates = [
            UpdateOne({"_id": event.id, "contact_id": None}, {"$set": {"contact_id": event.contact_id}})
            for event in events
            if event.contact_id
        ]
        if updates:
            cls._get_collection().bulk_write(updates, ordered=False)

    @classmethod
    def withdraw(cls, events: Sequence[VisitorEvent]) -> None:
        """Delete them, for their visitors refused. One command; safe to run twice."""
        cls.objects(id__in=[event.id for event in events]).delete()

    @classmethod
    def link_visitor(cls, workspace_id: ObjectId, visitor_id: str, contact_id: ObjectId) -> int:
        """Give all events of a visitor their contact unless they have one; returns how many had none."""
        events = cls.objects(workspace_id=workspace_id, visitor_id=visitor_id, contact_id=None)
        return int(events.update(set__contact_id=contact_id))

    @classmethod
    def views_of(
        cls,
        workspace_id: ObjectId,
        visitor_id: str,
        contact_id: ObjectId,
        *,
        limit: int,
        after: ObjectId | None = None,
    ) -> list[VisitorEvent]:
        """Page views of a visitor as a contact, in the order of their ids, those after one of them."""
        found = cls.objects(
            workspace_id=workspace_id, visitor_id=visitor_id, contact_id=contact_id, event_type=PAGE_VIEW
        )
        if after:
            found = found.filter(id__gt=after)
        return list(found.order_by("id").limit(limit))

    @classmethod
    def contacts_of(cls, ids: Iterable[ObjectId]) -> dict[ObjectId, ObjectId]:
        """The contacts of those events that have one, by the event's id. One query."""
        return dict(cls.objects(id__in=list(ids), contact_id__exists=True).scalar("id", "contact_id"))

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what the person's visitors did, and the events that told of it; returns how many did."""
        queries = left_behind(person, came="received_at")
        return sum(delete(cls, query, before=partial(_erase_views, person)) for query in queries)


def _erase_views(person: Person, ids: list[ObjectId]) -> None:
    EventRecord.erase_keys(key_of("page.viewed", person.workspace_id, each) for each in ids)
