"""A chance of business with a contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocumentField,
    FloatField,
    ListField,
    NotUniqueError,
    ObjectIdField,
    StringField,
)
from pymongo import UpdateMany

from models.personal import Person
from models.silence import Silence, broken
from models.store import now

ERASED = "Erased contact"  # the title of a deal that was with nobody else


class Deal(Document):
    workspace_id = ObjectIdField(required=True)
    contact_ids = ListField(ObjectIdField())
    title = StringField(required=True)
    stage = StringField()
    status = StringField(choices=("open", "won", "lost"), default="open")
    amount = FloatField()
    currency = StringField()  # ISO 4217
    expected_close_date = DateTimeField()
    closed_at = DateTimeField()  # when it was won or lost
    tags = ListField(StringField())
    custom_fields = DictField()
    key = StringField()  # unique where there is one: the same request opens one deal
    assigned_to = ObjectIdField()
    last_activity_at = DateTimeField()
    silence = EmbeddedDocumentField(Silence)  # changed by `touch`, and in `deal_silence`
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "deals",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["contact_ids", "status"]},
            ["status", "silence.due_at"],  # who is to be looked at, of all workspaces
            ["workspace_id", "status", "silence.due_at", "_id"],  # a range of them
            {"fields": ["silence.unannounced.batch"], "sparse": True},  # the few of whom it is to be told
            {"fields": ["silence.ended"], "sparse": True},  # the few whose tasks are to be closed
            {"fields": ["key"], "unique": True, "partialFilterExpression": {"key": {"$exists": True}}},
        ],
    }

    @classmethod
    def create_once(
        cls, keys: list[str], workspace_id: ObjectId, contact_id: ObjectId, fields: dict[str, Any]
    ) -> tuple[Deal, bool]:
        """Open a deal unless there is one of these keys; returns it and whether it is new.

        It is stored under the first key; `fields` by their stored names. Safe to run twice, and at the same
        time.
        """
        known: Deal | None = cls.objects(key__in=keys).first()
        if known:
            return known, False
        deal = cls(workspace_id=workspace_id, contact_ids=[contact_id], key=keys[0], **fields)
        try:
            return deal.save(force_insert=True), True
        except NotUniqueError:
            return cls.objects.get(key=keys[0]), False

    @classmethod
    def touch(cls, workspace_id: ObjectId, contacts: Mapping[ObjectId, datetime]) -> int:
        """Move the last-activity stamps of the contacts' open deals there forward, never backwards.

        Their silence is over. Returns how many deals moved. Safe to run twice.
        """
        mine = {"status": "open", "workspace_id": workspace_id}
        updates = [
            UpdateMany({"contact_ids": contact, **mine}, broken(at)) for contact, at in contacts.items()
        ]
        return cls._get_collection().bulk_write(updates, ordered=False).modified_count if updates else 0

    @classmethod
    def touch_one(cls, workspace_id: ObjectId, deal_id: ObjectId, at: datetime) -> int:
        """As `touch`, whatever its contacts."""
        mine = {"_id": deal_id, "workspace_id": workspace_id, "status": "open"}
        return int(cls._get_collection().update_one(mine, broken(at)).modified_count)

    @classmethod
    def close(
        cls, workspace_id: ObjectId, deal_id: ObjectId, status: Literal["won", "lost"], at: datetime
    ) -> None:
        """It was won or lost at that moment, unless it was closed later. Safe to run twice."""
        earlier = {"_id": deal_id, "workspace_id": workspace_id, "closed_at": {"$not": {"$gt": at}}}
        cls._get_collection().update_one(earlier, {"$set": {"status": status, "closed_at": at}})

    @classmethod
    def by_contacts(cls, workspace_id: ObjectId, contact_ids: Sequence[ObjectId]) -> dict[ObjectId, bool]:
        """Those of the contacts that have a deal, and whether one is won and has a close date. One query."""
        mine = {"contact_ids": {"$in": list(contact_ids)}}
        has_date = {"$eq": [{"$type": "$closed_at"}, "date"]}
        is_won = {"$and": [{"$eq": ["$status", "won"]}, has_date]}
        rows = cls._get_collection().aggregate(
            [
                {"$match": mine},
                {"$match": {"workspace_id": workspace_id}},
                {"$project": {"contact_ids": 1, "is_won": is_won}},
                {"$unwind": "$contact_ids"},
                {"$match": mine},
                {"$group": {"_id": "$contact_ids", "is_won": {"$max": "$is_won"}}},
            ],
            batchSize=len(contact_ids) + 1,
        )
        return {row["_id"]: row["is_won"] for row in rows}

    @classmethod
    def erase(cls, person: Person) -> int:
        """Take the person out of its deals, whose figures stay; returns how many deals.

        A deal that was with nobody else loses its title and custom fields too.
        """
        deals, mine = cls._get_collection(), {"contact_ids": person.contact_id}
        deals.update_many(
            {**mine, "contact_ids.1": {"$exists": False}},
            {"$set": {"title": ERASED}, "$unset": {"custom_fields": ""}},
        )
        return int(deals.update_many(mine, {"$pull": mine}).modified_count)
