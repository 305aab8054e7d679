"""Which events are counted in whose intent score, beyond the latest that the contact itself remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField

from models import store
from models.personal import Person, delete
from models.store import now

KEPT = timedelta(days=400)  # longer than an event may be counted late, see `intent.COUNTS_FOR`


class IntentSource(Document):
    """Its id is that of the event."""

    id = ObjectIdField(primary_key=True)
    contact_id = ObjectIdField(required=True)
    noted_at = DateTimeField(default=now)

    meta = {
        "collection": "intent_sources",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["contact_id"]},
            {"fields": ["noted_at"], "expireAfterSeconds": int(KEPT.total_seconds())},
        ],
    }

    @classmethod
    def note(cls, contacts: Mapping[ObjectId, ObjectId]) -> None:
        """These events are counted, each for its contact. One command at most; safe to run twice."""
        moment = now()
        rows = [{"_id": each, "contact_id": of, "noted_at": moment} for each, of in contacts.items()]
        if rows:
            store.insert_new(cls, rows)

    @classmethod
    def known(cls, event_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Those of the events that are noted."""
        found = cls._get_collection().find({"_id": {"$in": list(event_ids)}}, {"_id": 1})
        return {row["_id"] for row in found}

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
