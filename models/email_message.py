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
from pymongo.errors import BulkWriteError

from models.event import EventRecord
from models.personal import BATCH, Person
from models.store import DUPLICATE_KEY, now
from schemas.event import key_of

BODY = ("text", "reply_text")  # fields that are large, and seldom wanted


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
    sent_at = DateTimeField(required=True)  # what its sender claims, but never later than now
    claimed_at = DateTimeField()  # the claim itself; absent without a readable date
    kind = StringField(choices=("bounce", "auto-reply", "own", "reply", "forward", "new"), required=True)
    text = StringField()
    reply_text = StringField()
    attachments = ListField(DictField())  # name, content_type, size
    is_truncated = BooleanField(default=False)
    problems = ListField(StringField())
    answers = ListField(StringField())  # Message-IDs that it answers or returns, the nearest first
    failed_recipients = ListField(DictField())  # of a bounce: email, is_permanent
    contact_ids = ListField(ObjectIdField())
    account_ids = ListField(ObjectIdField())  # the mailboxes that hold it
    stored_at = DateTimeField(default=now)
    unannounced = BooleanField()  # true until its events and timeline entries are handed on, then absent

    meta = {
        "collection": "email_messages",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["workspace_id", "dedupe_key"], "unique": True},
            {"fields": ["workspace_id", "thread_key"]},
            {"fields": ["workspace_id", "subject_key", "-sent_at"]},
            {"fields": ["contact_ids", "-sent_at"]},
            ["workspace_id", "participants"],
            {"fields": ["account_ids"], "partialFilterExpression": {"unannounced": True}},
        ],
    }

    @classmethod
    def store(
        cls, workspace_id: ObjectId, account_id: ObjectId, messages: Sequence[dict[str, Any]]
    ) -> list[EmailMessage]:
        """Store those that are new and link all to the mailbox; returns those not announced yet, in order.

        `messages`: stored fields by name. Two store commands, whatever their number. Safe to run twice, and
        at the same time for two mailboxes.
        """
        if not messages:
            return []
        writes = [
            UpdateOne(
                {"workspace_id": workspace_id, "dedupe_key": message["dedupe_key"]},
                {
                    "$setOnInsert": {**message, "stored_at": now(), "unannounced": True},
                    "$addToSet": {"account_ids": account_id},
                },
                upsert=True,
            )
            for message in messages
        ]
        try:
            cls._get_collection().bulk_write(writes)
        except BulkWriteError as error:
            if any(e["code"] != DUPLICATE_KEY for e in error.details["writeErrors"]):
                raise
            cls._get_collection().bulk_write(writes)  # another mailbox was faster: now it is there
        keys = [message["dedupe_key"] for message in messages]
        found = cls.objects(workspace_id=workspace_id, dedupe_key__in=keys, unannounced=True)
        waiting = {message.dedupe_key: message for message in found.exclude(*BODY)}
        return [waiting[key] for key in dict.fromkeys(keys) if key in waiting]

    @classmethod
    def unannounced_of(cls, account_id: ObjectId, since: datetime, limit: int) -> list[EmailMessage]:
        """Messages of a mailbox whose sync died before it told of them, stored since a moment."""
        found = cls.objects(account_ids=account_id, unannounced=True, stored_at__gte=since)
        return list(found.exclude(*BODY).limit(limit))

    @classmethod
    def related(
        cls, workspace_id: ObjectId, *, keys: Iterable[str], subjects: Iterable[str], limit: int
    ) -> list[EmailMessage]:
        """Messages that share an id, a thread or a subject: what threading chooses from.

        Of threads and of subjects the newest `limit` each. Three queries, each on its index: as one with an
        `$or`, its sorting would read all.
        """
        keys, mine = list(keys), cls.objects(workspace_id=workspace_id).exclude(*BODY)
        found = (
            *mine.filter(dedupe_key__in=keys),
            *mine.filter(thread_key__in=keys).order_by("-sent_at").limit(limit),
            *mine.filter(subject_key__in=list(subjects)).order_by("-sent_at").limit(limit),
        )
        return list({message.id: message for message in found}.values())

    @classmethod
    def by_message_ids(cls, workspace_id: ObjectId, ids: Iterable[str]) -> dict[str, ObjectId]:
        """Ids of the workspace's messages by their Message-IDs."""
        found = cls.objects(workspace_id=workspace_id, dedupe_key__in=list(ids)).scalar("dedupe_key", "id")
        return dict(found)

    @classmethod
    def mark_announced(cls, ids: Iterable[ObjectId]) -> None:
        cls.objects(id__in=list(ids)).update(unset__unannounced=True)

    @classmethod
    def erase(cls, person: Person) -> int:
        """Empty the person's messages and take its address out of them; returns how many messages.

        What is left is that there was a message, so that no later sync of the mailbox brings it back. Mail
        with others loses its text too: it may name the person.
        """
        queries: list[dict[str, Any]] = [{"contact_ids": person.contact_id}]
        if person.email:
            queries.append({"workspace_id": person.workspace_id, "participants": person.email})
        return sum(cls._erase(person, query) for query in queries)

    @classmethod
    def _erase(cls, person: Person, query: dict[str, Any]) -> int:
        erased, messages = 0, cls._get_collection()
        while ids := [found["_id"] for found in messages.find(query, {"_id": 1}).limit(BATCH)]:
            EventRecord.erase_keys(key_of("email.bounced", person.workspace_id, each) for each in ids)
            messages.update_many({"_id": {"$in": ids}, "sender": person.email}, {"$unset": {"sender": ""}})
            erased += messages.update_many({"_id": {"$in": ids}}, _without(person)).matched_count
        return erased


def _without(person: Person) -> dict[str, Any]:
    lists = {"participants": person.email, "recipients": person.email}
    failed = {"failed_recipients": {"email": person.email}}
    return {
        "$pull": {"contact_ids": person.contact_id, **lists, **failed},
        "$unset": dict.fromkeys((*BODY, "subject", "subject_key", "attachments", "problems"), ""),
    }
