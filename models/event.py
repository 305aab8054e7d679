"""The event ledger: every accepted event, how far it got, and which reactions are done.

Indexed for the relay: the few events whose job is not known to be in Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, IntField, ObjectIdField, StringField
from pymongo.errors import BulkWriteError

from models.personal import Person, delete
from models.store import DUPLICATE_KEY, now


class EventRecord(Document):
    type = StringField(required=True)
    version = IntField(required=True)
    workspace_id = ObjectIdField(required=True)
    key = StringField()  # what makes the event unique, like contact.created:<id>; absent = always new
    payload = DictField()
    correlation_id = StringField(required=True)
    causation_id = StringField()
    depth = IntField(default=0)  # how many automations led to it, one after the other
    status = StringField(choices=("pending", "queued", "done", "failed"), default="pending")
    reactions = DictField()  # reaction name -> when it was done
    accepted_at = DateTimeField(default=now)
    queued_at = DateTimeField()  # when its job was last known to be in Redis
    done_at = DateTimeField()
    error = StringField()  # of a failed one: why its job is a dead letter

    meta = {
        "collection": "events",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["key"], "unique": True, "partialFilterExpression": {"key": {"$exists": True}}},
            {"fields": ["status", "accepted_at"], "name": "relay"},
            {"fields": ["status", "queued_at"], "name": "relay_lost"},
            {
                "fields": ["payload.contactId"],
                "partialFilterExpression": {"payload.contactId": {"$exists": True}},
            },
            {"fields": ["workspace_id", "-accepted_at"]},
        ],
    }

    @classmethod
    def accept(cls, records: list[EventRecord]) -> list[EventRecord]:
        """Store new events with one command. Of an event with a known key the stored record comes back."""
        try:
            cls._get_collection().insert_many(
                [record.to_mongo().to_dict() for record in records], ordered=False
            )
            return records
        except BulkWriteError as error:
            others = [e for e in error.details["writeErrors"] if e["code"] != DUPLICATE_KEY]
            if others:
                raise
            taken = {records[e["index"]].key for e in error.details["writeErrors"]}
            stored = {record.key: record for record in cls.objects(key__in=list(taken))}
            return [stored.get(record.key, record) if record.key in taken else record for record in records]

    @classmethod
    def by_keys(cls, keys: Iterable[str]) -> list[EventRecord]:
        """The events of these keys, without what they carry."""
        return list(cls.objects(key__in=list(keys)).only("key", "correlation_id", "accepted_at"))

    @classmethod
    def mark_queued(cls, ids: Iterable[ObjectId]) -> None:
        """Their jobs are in Redis at this moment."""
        cls.objects(id__in=list(ids), status__in=["pending", "queued"]).update(
            set__status="queued", set__queued_at=now()
        )

    @classmethod
    def pending(cls, before: datetime, limit: int) -> list[EventRecord]:
        """The oldest events whose job never reached Redis, accepted before a moment."""
        found = cls.objects(status="pending", accepted_at__lt=before)
        return list(found.order_by("accepted_at").limit(limit))

    @classmethod
    def not_done(cls, before: datetime, limit: int) -> list[EventRecord]:
        """Events whose job was last known to be in Redis before a moment, and which are not done."""
        found = cls.objects(status="queued", queued_at__lt=before)
        return list(found.order_by("queued_at").limit(limit))

    @classmethod
    def depth_of(cls, event_id: ObjectId | None) -> int:
        """That of the event; 0 for one that is not in the ledger."""
        found = cls.objects(id=event_id).only("depth").first() if event_id else None
        return found.depth if found else 0

    def mark_reaction(self, name: str) -> None:
        EventRecord.objects(id=self.id).update_one(**{f"set__reactions__{name}": now()})

    def mark_done(self) -> None:
        EventRecord.objects(id=self.id, status__ne="done").update_one(
            set__status="done", set__done_at=now(), unset__error=True
        )

    @classmethod
    def mark_failed(cls, event_id: ObjectId, error: str) -> None:
        """Its job is a dead letter now: only a person brings it back, and the relay leaves it alone."""
        cls.objects(id=event_id, status__ne="done").update_one(set__status="failed", set__error=error)

    def envelope(self) -> dict[str, Any]:
        """What travels on the queue: plain JSON."""
        return {
            "type": self.type,
            "version": self.version,
            "workspaceId": str(self.workspace_id),
            "correlationId": self.correlation_id,
            "causationId": self.causation_id,
            "payload": self.payload,
        }

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete the events about the person, except that it was deleted; returns how many."""
        mine = {"payload.contactId": str(person.contact_id), "type": {"$ne": "contact.deleted"}}
        return delete(cls, mine)

    @classmethod
    def erase_keys(cls, keys: Iterable[str]) -> None:
        """Delete the events of these keys."""
        cls._get_collection().delete_many({"key": {"$in": list(keys)}})
