"""One logical e-mail of a workspace, however many of its mailboxes hold it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    ListField,
    ObjectIdField,
    StringField,
)
from pymongo import UpdateOne

from models.store import now


class EmailMessage(Document):
    workspace_id = ObjectIdField(required=True)
    dedupe_key = StringField(required=True)  # normalised Message-ID, or a hash: unique in its workspace
    message_id = StringField()
    provider_thread_id = StringField()
    thread_key = StringField(required=True)
    subject = StringField()
    subject_key = StringField()
    participants = ListField(StringField())
    sender = StringField()
    recipients = ListField(StringField())
    sent_at = DateTimeField(required=True)
    kind = StringField(choices=("bounce", "auto-reply", "own", "reply", "forward", "new"), required=True)
    text = StringField()
    reply_text = StringField()
    attachments = ListField(DictField())  # name, content_type, size
    is_truncated = BooleanField(default=False)
    problems = ListField(StringField())
    contact_ids = ListField(ObjectIdField())
    account_ids = ListField(ObjectIdField())  # the mailboxes that hold it
    stored_at = DateTimeField(default=now)
    announced_at = DateTimeField()  # when its events and timeline entries were handed on

    meta = {
        "collection": "email_messages",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["workspace_id", "dedupe_key"], "unique": True},
            {"fields": ["workspace_id", "thread_key"]},
            {"fields": ["workspace_id", "subject_key", "-sent_at"]},
            {"fields": ["contact_ids", "-sent_at"]},
        ],
    }

    @classmethod
    def store(
        cls, workspace_id: ObjectId, account_id: ObjectId, messages: Sequence[dict[str, Any]]
    ) -> list[EmailMessage]:
        """Store those that are new and link all to the mailbox; returns those not announced yet, in order.

        `messages`: stored fields by name. Two store commands, whatever their number. Safe to run twice.
        """
        if not messages:
            return []
        writes = [
            UpdateOne(
                {"workspace_id": workspace_id, "dedupe_key": message["dedupe_key"]},
                {
                    "$setOnInsert": {**message, "stored_at": now()},
                    "$addToSet": {"account_ids": account_id},
                },
                upsert=True,
            )
            for message in messages
        ]
        cls._get_collection().bulk_write(writes)
        keys = [message["dedupe_key"] for message in messages]
        stored = {m.dedupe_key: m for m in cls.objects(workspace_id=workspace_id, dedupe_key__in=keys)}
        waiting = [stored[key] for key in dict.fromkeys(keys) if key in stored]
        return [message for message in waiting if message.announced_at is None]

    @classmethod
    def related(
        cls,
        workspace_id: ObjectId,
        *,
        keys: Iterable[str],
        subjects: Iterable[str],
        since: datetime,
        limit: int,
    ) -> list[EmailMessage]:
        """Messages that share an id, a thread or a recent subject: what threading chooses from."""
        keys = list(keys)
        found = cls.objects(
            __raw__={
                "workspace_id": workspace_id,
                "$or": [
                    {"dedupe_key": {"$in": keys}},
                    {"thread_key": {"$in": keys}},
                    {"subject_key": {"$in": [s for s in subjects if s]}, "sent_at": {"$gte": since}},
                ],
            }
        )
        return list(found.exclude("text", "reply_text").order_by("-sent_at").limit(limit))

    @classmethod
    def by_message_ids(cls, workspace_id: ObjectId, ids: Iterable[str]) -> dict[str, ObjectId]:
        """Ids of the workspace's messages by their Message-IDs."""
        found = cls.objects(workspace_id=workspace_id, dedupe_key__in=list(ids)).scalar("dedupe_key", "id")
        return dict(found)

    @classmethod
    def mark_announced(cls, ids: Iterable[ObjectId]) -> None:
        cls.objects(id__in=list(ids), announced_at=None).update(set__announced_at=now())
