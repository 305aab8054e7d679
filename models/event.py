"""The event ledger: every accepted event, how far it got, and which reactions are done.

pending: accepted a moment ago, or its job did not reach Redis. queued: its job is there. waiting: its job
came before its turn, and the event before it wakes it. done: every reaction took effect. failed: its job is a
dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from bson import ObjectId
from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    IntField,
    ObjectIdField,
    StringField,
)
from pymongo import UpdateOne

import config
from models import event_erasure
from models.fields import PlainField
from models.personal import Person
from models.store import insert_new, now

PENDING, QUEUED, WAITING, DONE, FAILED = "pending", "queued", "waiting", "done", "failed"
OPEN = (PENDING, QUEUED, WAITING)  # the next event of the same record has to wait for these

# After how long the relay looks after an event that is still open.
PENDING_FOR = timedelta(seconds=5)  # a publisher that is alive has enqueued by then
QUEUED_FOR = timedelta(hours=1)  # far beyond the retries (36 s): by then a job is done, dead, or lost
WAITING_FOR = timedelta(minutes=10)  # beyond the retries of the one before it, its time limit each time

NONE: Mapping[str, bool] = MappingProxyType({})

ENDED = {"turn": "", "relay_at": ""}  # what an open event has, and one that ended has not


class EventRecord(Document):
    type = StringField(required=True)
    version = IntField(required=True)
    workspace_id = ObjectIdField(required=True)
    key = StringField()  # what makes the event unique, like contact.created:<id>; absent = always new
    payload = PlainField()
    correlation_id = StringField(required=True)
    causation_id = StringField()
    depth = IntField(default=0)  # how many automations led to it, one after the other
    subject = StringField()  # the record it is about, like contact:<id>; absent = its order does not matter
    position = IntField(default=0)  # among the events of its subject; see `publishers.turns`
    status = StringField(choices=(*OPEN, DONE, FAILED), default=PENDING)
    is_followed = BooleanField()  # a later event of its subject waits, and is woken when this one has ended
    runs = IntField(default=0)  # how often it was put on the queue once more, each time as a new job
    carried_by = StringField()  # the job of an earlier event of its subject, which handles it after that one
    reactions = PlainField()  # reaction name -> when it was done
    handed_on = PlainField(default=None)  # of these, whose jobs do the rest -> True; absent: none's
    accepted_at = DateTimeField(default=now)
    turn = StringField()  # its subject while it is open: who looks for the next one meets no ended event
    relay_at = DateTimeField()  # when the relay looks after it; absent when it has ended
    done_at = DateTimeField()
    error = StringField()  # of a failed one: why its job is a dead letter
    expires_at = DateTimeField()  # of a done one only: what is unfinished is kept until it is done

    meta = {
        "collection": "events",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["key"], "unique": True, "partialFilterExpression": {"key": {"$exists": True}}},
            {"fields": ["relay_at", "position"], "name": "relay_in_order"},
            # Not partial ones: the embedded store would scan the collection instead.
            {"fields": ["turn", "position"], "name": "turns"},
            ["status"],
            {
                "fields": ["payload.contactId"],
                "partialFilterExpression": {"payload.contactId": {"$exists": True}},
            },
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }

    @property
    def job_id(self) -> str:
        """Of the job that handles it, or did last."""
        return f"event-{self.id}-{self.runs}" if self.runs else f"event-{self.id}"

    @property
    def jobs(self) -> set[str]:
        """The ids of those that may handle it."""
        return {self.job_id, *([self.carried_by] if self.carried_by else [])}

    @classmethod
    def accept(cls, records: Sequence[EventRecord]) -> Sequence[EventRecord]:
        """Store new events with one command. Of an event with a known key the stored record comes back."""
        refused = insert_new(cls, [record.to_mongo() for record in records])
        if not refused:
            return records
        taken = {records[place].key for place in refused} - {None}  # without one, it is there by its id
        stored = {record.key: record for record in cls.objects(key__in=list(taken))}
        return [stored.get(record.key, record) if record.key in taken else record for record in records]

    @classmethod
    def by_keys(cls, keys: Iterable[str]) -> list[EventRecord]:
        """The events of these keys, without what they carry."""
        return list(cls.objects(key__in=list(keys)).only("key", "correlation_id", "accepted_at"))

    @classmethod
    def mark_queued(cls, ids: Iterable[ObjectId]) -> None:
        """Their jobs are in Redis at this moment."""
        if found := list(ids):
            cls.objects(id__in=found, status__in=[PENDING, QUEUED]).update(
                set__status=QUEUED, set__relay_at=now() + QUEUED_FOR
            )

    @classmethod
    def due(cls, limit: int) -> list[EventRecord]:
        """Those that the relay has to look after by now, in their order."""
        return list(cls.objects(relay_at__lte=now()).order_by("relay_at", "position").limit(limit))

    @classmethod
    def seen(cls, ids: Iterable[ObjectId], status: str, again_after: timedelta) -> None:
        """They were looked at now, and are as they were."""
        if found := list(ids):
            cls.objects(id__in=found, status=status).update(set__relay_at=now() + again_after)

    @classmethod
    def depth_of(cls, event_id: ObjectId | None) -> int:
        """That of the event; 0 for one that is not in the ledger."""
        found = cls.objects(id=event_id).only("depth").first() if event_id else None
        return found.depth if found else 0

    @classmethod
    def head(cls, subject: str, up_to: int | None = None) -> EventRecord | None:
        """The earliest open event of a subject, up to a position."""
        found = cls.objects(turn=subject)
        if up_to is not None:
            found = found.filter(position__lte=up_to)
        first: EventRecord | None
        while (first := found.order_by("position", "id").first()) and first.status not in OPEN:
            cls.tidy([first.id])
        return first

    @classmethod
    def tidy(cls, ids: Iterable[ObjectId]) -> None:
        """Their end was recorded by a release that knows nothing of ENDED, as in a rolling deploy."""
        cls._get_collection().update_many(
            {"_id": {"$in": list(ids)}, "status": {"$in": [DONE, FAILED]}}, {"$unset": ENDED}
        )

    @classmethod
    def wait(cls, event_id: ObjectId, before: ObjectId, run: int) -> bool:
        """The event waits for the one before it; False when that one, this one or its run has ended."""
        change = {"$set": {"status": WAITING, "relay_at": now() + WAITING_FOR}}
        wait = UpdateOne({"_id": event_id, "status": {"$in": OPEN}, "runs": run}, change)
        follow = UpdateOne({"_id": before, "status": {"$in": OPEN}}, {"$set": {"is_followed": True}})
        return bool(cls._get_collection().bulk_write([wait, follow]).matched_count == 2)

    def is_open_for(self, run: int) -> bool:
        return self.status in OPEN and self.runs == run

    @classmethod
    def follow(cls, event_id: ObjectId) -> bool:
        """Somebody waits for the event; False when it has ended, or waits itself."""
        rows = cls.objects(id=event_id, status__in=[PENDING, QUEUED])
        return bool(rows.update_one(set__is_followed=True, full_result=True).matched_count)

    def resume(self) -> bool:
        """It goes on in the job that runs already; False when another one was put on the queue for it."""
        rows = EventRecord.objects(id=self.id, status=WAITING, runs=self.runs)
        return bool(rows.update_one(set__status=QUEUED, set__relay_at=now() + QUEUED_FOR))

    def begin_anew(self, carrier: str | None = None) -> bool:
        """Whoever asked handles it from now on, and wakes the next; False when its state is another by now.

        A job that it had before does nothing any more. `carrier`: the job that handles it, if not its own.
        """
        runs = [self.runs] if self.runs else [0, None]  # release 0.1 did not count them
        rows = EventRecord.objects(id=self.id, status=self.status, runs__in=runs)
        change = {"set__status": QUEUED, "set__relay_at": now() + QUEUED_FOR, "set__turn": self.subject}
        if not rows.update_one(**change, set__is_followed=True, inc__runs=1, set__carried_by=carrier):
            return False
        self.status, self.is_followed, self.runs, self.carried_by = QUEUED, True, self.runs + 1, carrier
        return True

    def suspend(self) -> None:
        """It has no job: the relay gives it one."""
        EventRecord.objects(id=self.id, status=QUEUED, runs=self.runs).update_one(
            set__status=PENDING, set__relay_at=now()
        )

    @classmethod
    def reopen(cls, ids: Iterable[ObjectId]) -> None:
        """Failed events whose dead letters are put back on the queue."""
        change = {"status": QUEUED, "turn": "$subject", "relay_at": now() + QUEUED_FOR}
        cls._get_collection().update_many({"_id": {"$in": list(ids)}, "status": FAILED}, [{"$set": change}])

    def mark_reaction(self, name: str) -> None:
        EventRecord.objects(id=self.id).update_one(**{f"set__reactions__{name}": now()})

    def note(self, reactions: Mapping[str, bool]) -> None:
        """These reactions took effect, others did not. True: its jobs do the rest."""
        if changes := _done(reactions):
            EventRecord._get_collection().update_one({"_id": self.id}, {"$set": changes})

    def mark_done(self, reactions: Mapping[str, bool] = NONE, drop: Iterable[str] = ()) -> bool:
        """Every reaction took effect, these last; returns whether another event waits for it.

        `reactions`: as in `note`. `drop`: lists of its payload, what they held is stored elsewhere by now.
        """
        emptied: dict[str, Any] = {f"payload.{field}": [] for field in drop}
        change = {"$set": _all_done(reactions) | emptied, "$unset": {"error": "", **ENDED}}
        return self._end(self.id, change, bool(self.is_followed))

    @classmethod
    def mark_all_done(cls, ids: Sequence[ObjectId], reactions: Mapping[str, bool]) -> None:
        """As `mark_done`, for events without a subject: nobody waits for them."""
        change = {"$set": _all_done(reactions), "$unset": {"error": "", **ENDED}}
        cls._get_collection().update_many({"_id": {"$in": list(ids)}, "status": {"$ne": DONE}}, change)

    @classmethod
    def mark_failed(cls, event_id: ObjectId, error: str) -> bool:
        """Its job is a dead letter now: only a person brings it back, and the relay leaves it alone.

        Returns whether another event waits for it.
        """
        change = {"$set": {"status": FAILED, "error": error}, "$unset": ENDED}
        return cls._end(event_id, change, is_followed=False)

    @classmethod
    def _end(cls, event_id: ObjectId, change: dict[str, Any], is_followed: bool) -> bool:
        """One command, and a second only when somebody has come to wait: nobody who did is overlooked."""
        rows, guard = cls._get_collection(), {"_id": event_id, "status": {"$ne": DONE}}
        if not is_followed and rows.update_one({**guard, "is_followed": {"$ne": True}}, change).matched_count:
            return False
        return bool(rows.update_one(guard, change).matched_count)

    def envelope(self) -> dict[str, Any]:
        """What travels on the queue: plain JSON."""
        return {
            "type": self.type,
            "version": self.version,
            "workspaceId": str(self.workspace_id),
            "correlationId": self.correlation_id,
            "causationId": self.causation_id,
            "subject": self.subject,
            "position": self.position,
            "run": self.runs,
            "payload": self.payload,
        }

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what tells of the person; returns how many events it was."""
        return event_erasure.erase(cls, person, unfinished=[*OPEN, FAILED])

    @classmethod
    def erase_keys(cls, keys: Iterable[str]) -> None:
        """Delete the events of these keys."""
        cls._get_collection().delete_many({"key": {"$in": list(keys)}})


def _done(reactions: Mapping[str, bool]) -> dict[str, Any]:
    moment = now()
    handed_on = {f"handed_on.{name}": True for name, has_handed_on in reactions.items() if has_handed_on}
    return {f"reactions.{name}": moment for name in reactions} | handed_on


def _all_done(reactions: Mapping[str, bool]) -> dict[str, Any]:
    moment = now()
    keep = timedelta(days=config.settings().events_keep_days)
    return {"status": DONE, "done_at": moment, "expires_at": moment + keep, **_done(reactions)}
