"""An automation: when an event of a type happens and all conditions hold, do the actions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    DynamicField,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from models.store import now

MINUTE = timedelta(minutes=1)
COUNTED = 50  # latest events that a trigger remembers; one is planned again within seconds, or by a person
OPERATORS = ("equals", "not_equals", "contains", "greater_than", "less_than", "in", "not_in")


class TriggerCondition(EmbeddedDocument):
    field = StringField(required=True)  # dotted, like contact.leadScore
    operator = StringField(required=True, choices=OPERATORS)
    value = DynamicField()

    meta = {"strict": False}


class Trigger(Document):
    workspace_id = ObjectIdField(required=True)
    name = StringField(required=True)
    event_type = StringField(required=True)
    conditions = EmbeddedDocumentListField(TriggerCondition)
    actions = ListField(DictField())  # as they came over the wire: {"type": "notify", "message": …}
    is_active = BooleanField(default=True)
    key = StringField()  # the client's Idempotency-Key; unique in the workspace
    max_runs_per_minute = IntField()  # None: as many as AUTOMATION_RUNS_PER_MINUTE allows
    minute = DateTimeField()  # in which it ran last, and how often it did
    runs_in_minute = IntField(default=0)
    counted = ListField(ObjectIdField())  # the latest events among them
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    meta = {
        "collection": "triggers",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": [
            ["workspace_id", "event_type", "is_active"],
            ["workspace_id", "_id"],
            {
                "fields": ["workspace_id", "key"],
                "unique": True,
                "partialFilterExpression": {"key": {"$exists": True}},
            },
        ],
    }

    @classmethod
    def active_for(cls, workspace_id: ObjectId, event_type: str) -> list[Trigger]:
        return list(cls.objects(workspace_id=workspace_id, event_type=event_type, is_active=True))

    @classmethod
    def any_for(cls, workspace_id: ObjectId, event_type: str) -> bool:
        """Whether an event of this type may run anything."""
        found = cls.objects(workspace_id=workspace_id, event_type=event_type, is_active=True)
        return found.only("id").first() is not None

    @classmethod
    def page(
        cls, workspace_id: ObjectId, after: ObjectId | None, limit: int, **filters: Any
    ) -> list[Trigger]:
        """The oldest ones after that id."""
        if after:
            filters["id__gt"] = after
        return list(cls.objects(workspace_id=workspace_id, **filters).order_by("id").limit(limit))

    @classmethod
    def is_on(cls, trigger_id: ObjectId) -> bool:
        """Whether it is still there, and active."""
        return cls.objects(id=trigger_id, is_active=True).only("id").first() is not None

    def is_full(self, event_id: ObjectId, at: datetime, most: int) -> bool:
        """Whether `claim_run` would say no, as far as this copy knows. Counts nothing."""
        minute = at.replace(second=0, microsecond=0)
        is_new = self.minute is None or self.minute < minute
        has_room = is_new or self.runs_in_minute < min(most, self.max_runs_per_minute or most)
        return not has_room and event_id not in self.counted

    def claim_run(self, event_id: ObjectId, at: datetime, most: int) -> bool:
        """Count one run in the minute of `at`; False, and nothing counted, when `most` ran in it already.

        Who comes late, or whose clock does, counts in the latest minute: none begins anew while it lasts.
        Safe to run twice, and at the same time: an event is counted once.
        """
        minute = at.replace(second=0, microsecond=0)
        most = min(most, self.max_runs_per_minute or most)
        is_new = {"$lt": [{"$ifNull": ["$minute", minute - MINUTE]}, minute]}
        has_room = [{"$expr": is_new}, {"runs_in_minute": {"$lt": most}}]
        guard = {"_id": self.id, "counted": {"$ne": event_id}, "$or": has_room}
        count = {"$cond": [is_new, 1, {"$add": ["$runs_in_minute", 1]}]}
        events = {"$concatArrays": [{"$ifNull": ["$counted", []]}, [event_id]]}
        counted = {"counted": {"$slice": [events, -COUNTED]}, "minute": {"$max": ["$minute", minute]}}
        change = [{"$set": {"runs_in_minute": count, **counted}}]
        if Trigger._get_collection().update_one(guard, change).matched_count:
            return True
        return Trigger.objects(id=self.id, counted=event_id).only("id").first() is not None
