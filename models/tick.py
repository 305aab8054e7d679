"""The run ledger: a row per tick of the cron table, and per run by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mongoengine import DateTimeField, Document, FloatField, IntField, StringField
from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

import config
from models.store import now

QUEUED, RAN, LATE, SKIPPED, MISSED, FAILED = "queued", "ran", "late", "skipped", "missed", "failed"
DONE = (RAN, LATE)
LONGEST_RUN = timedelta(days=7)  # as long as a dead letter is kept: what began before that is over


class Tick(Document):
    """Its id is its job's, which holds entry and due time: a tick has one row, whoever writes it first.

    queued: its job is to run, runs, or is to be tried again. ran, late: it is done. skipped: it was not to
    run. missed: nobody enqueued or started it in time; it may yet become late. failed: its job is a dead
    letter, or lost.
    """

    id = StringField(primary_key=True)
    entry = StringField(required=True)
    due = DateTimeField(required=True)
    trigger = StringField(choices=("cron", "hand"), default="cron")
    status = StringField(choices=(QUEUED, RAN, LATE, SKIPPED, MISSED, FAILED), required=True)
    reason = StringField()  # why it was skipped or missed, or who ran it by hand
    error = StringField()  # of the last try that failed
    tries = IntField(default=0)
    enqueued_at = DateTimeField()
    started_at = DateTimeField()  # of the first try
    ended_at = DateTimeField()
    duration = FloatField()  # seconds that the last try took
    expires_at = DateTimeField(required=True)

    meta = {
        "collection": "ticks",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": [
            {"fields": ["entry", "-due"], "unique": True},
            {"fields": ["-due"]},
            {"fields": ["status", "entry", "due"]},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }

    @classmethod
    def record(cls, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Store what a scheduler decided, each row with `id`, `entry`, `due`, `status`; safe to repeat.

        A row that is there stays as it is, but for when it was enqueued. Returns the ids of new rows.
        """
        if not rows:
            return []
        result = cls._get_collection().bulk_write([_upsert(row) for row in rows], ordered=False)
        return [str(job_id) for job_id in (result.upserted_ids or {}).values()]

    @classmethod
    def begin(cls, job_id: str, entry: str, due: datetime, trigger: str = "cron") -> bool:
        """Its job starts, maybe once more. False: it is done already, and must not run again."""
        change = {
            "$set": {"status": QUEUED},
            "$min": {"started_at": now()},
            "$unset": {"ended_at": "", "duration": ""},
            "$inc": {"tries": 1},
            "$setOnInsert": {"entry": entry, "due": due, "trigger": trigger, "expires_at": _expiry()},
        }
        rows = cls._get_collection()
        while True:
            try:
                rows.update_one({"_id": job_id, "status": {"$nin": list(DONE)}}, change, upsert=True)
            except DuplicateKeyError:  # the filter refused it, or a scheduler stored it at this very moment
                if rows.find_one({"_id": job_id, "status": {"$in": list(DONE)}}, {"_id": 1}):
                    return False
            else:
                return True

    @classmethod
    def succeed(cls, job_id: str, duration: float, grace: timedelta) -> None:
        """Its job is done. Late is what started later than `grace` after it was due."""
        row = cls._get_collection().find_one({"_id": job_id}, {"due": 1, "started_at": 1})
        is_late = row is not None and row["started_at"] - row["due"] > grace
        cls._end(job_id, status=LATE if is_late else RAN, duration=duration)

    @classmethod
    def fail(cls, job_id: str, error: str, duration: float, *, is_last: bool) -> None:
        """A try failed; the last one makes it failed."""
        if is_last:
            cls._end(job_id, status=FAILED, duration=duration, error=error)
        else:
            cls.objects(id=job_id).update_one(set__error=error, set__duration=duration)

    @classmethod
    def _end(cls, job_id: str, **fields: Any) -> None:
        changes = {f"set__{name}": value for name, value in fields.items()}
        cls.objects(id=job_id, status__nin=DONE).update_one(set__ended_at=now(), **changes)

    @classmethod
    def settle(cls, job_id: str, status: str, *, is_started: bool, reason: str) -> bool:
        """What the watchdog found out about a tick that stands still; False when it moved meanwhile."""
        rows = cls.objects(id=job_id, status=QUEUED, started_at__exists=is_started)
        return bool(rows.update_one(set__status=status, set__reason=reason))

    @classmethod
    def unfinished(cls, entries: Iterable[str]) -> list[Tick]:
        """Rows of these entries whose job is not known to be over."""
        found = cls.objects(
            status__in=[QUEUED, MISSED],
            entry__in=list(entries),
            due__gt=now() - LONGEST_RUN,
            enqueued_at__exists=True,
        )
        return list(found.only("id", "entry"))

    @classmethod
    def existing(cls, ids: Iterable[str]) -> set[str]:
        """Those of the ids that have a row."""
        return set(cls.objects(id__in=list(ids)).scalar("id"))

    @classmethod
    def standing_still(cls, before: datetime, limit: int) -> list[Tick]:
        """Rows that stand as queued since they were due before that moment, the oldest first."""
        return list(cls.objects(status=QUEUED, due__lt=before).order_by("due").limit(limit))

    @classmethod
    def last_due(cls, entries: Iterable[str]) -> dict[str, datetime]:
        """When each entry's last tick was due; without those that have none."""
        rows = (cls.objects(entry=name, trigger="cron").order_by("-due").first() for name in entries)
        return {row.entry: row.due for row in rows if row}

    @classmethod
    def history(cls, entry: str | None, limit: int) -> list[Tick]:
        """The latest rows, of one entry or of all, the latest first."""
        found = cls.objects(entry=entry) if entry else cls.objects
        return list(found.order_by("-due").limit(limit))


def _upsert(row: Mapping[str, Any]) -> UpdateOne:
    fields = {"trigger": "cron", "tries": 0, "expires_at": _expiry(), **row}
    job_id, enqueued_at = fields.pop("id"), fields.pop("enqueued_at", None)
    change: dict[str, Any] = {"$setOnInsert": fields}
    if enqueued_at:
        change["$set"] = {"enqueued_at": enqueued_at}
    return UpdateOne({"_id": job_id}, change, upsert=True)


def _expiry() -> datetime:
    return now() + timedelta(days=config.settings().ticks_keep_days)
