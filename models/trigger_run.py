"""What became of an automation's runs: one row per automation and event, with a step per action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

import config
from models.personal import Person, delete
from models.store import insert_new, now

WAITING, RETRYING, DONE, SKIPPED, FAILED = "waiting", "retrying", "done", "skipped", "failed"
RUNNING = "running"
OPEN = (WAITING, RETRYING)
ENDED = (DONE, SKIPPED)  # a failed one is a dead letter: requeued, it may still be done


class RunStep(EmbeddedDocument):
    """One action. waiting: it was not tried yet. retrying: it failed and is tried again."""

    kind = StringField()  # of the action
    action = DictField()  # as it was when the event happened, or was put right later; until it is done
    status = StringField(choices=(WAITING, RETRYING, DONE, SKIPPED, FAILED), default=WAITING)
    note = StringField()  # what came of it, or why it was skipped
    error = StringField()  # of the last try that failed
    changed = ListField(StringField())  # stored names of the contact's fields that it is about to change
    tries = IntField(default=0)
    seconds = FloatField()  # that the last try took
    ended_at = DateTimeField()

    meta = {"strict": False}


class TriggerRun(Document):
    id = StringField(primary_key=True)  # <trigger>-<event>: an event runs an automation once
    workspace_id = ObjectIdField(required=True)
    trigger_id = ObjectIdField(required=True)
    event_id = ObjectIdField(required=True)
    event_type = StringField(required=True)
    contact_id = ObjectIdField()  # of the event
    correlation_id = StringField(required=True)
    depth = IntField(default=0)  # of the event: how many automations led to it
    # running until each step has ended. skipped: it was not to do anything, see `reason`, or no step was.
    status = StringField(choices=(RUNNING, DONE, SKIPPED, FAILED), default=RUNNING)
    reason = StringField()  # why it did nothing although its conditions held; it has no steps then
    steps = EmbeddedDocumentListField(RunStep)
    created_at = DateTimeField(default=now)
    expires_at = DateTimeField(required=True)

    meta = {
        "collection": "trigger_runs",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            ["trigger_id", "-created_at", "-_id"],
            ["trigger_id", "status", "-created_at", "-_id"],
            ["event_id"],
            ["status", "created_at"],  # the few that run for long
            {"fields": ["contact_id"], "sparse": True},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }

    def clean(self) -> None:
        """Runs before each save."""
        self.id = self.id_of(self.trigger_id, self.event_id)
        if not self.steps:
            self.status = SKIPPED
        self.expires_at = self.created_at + timedelta(days=config.settings().automation_runs_keep_days)

    @staticmethod
    def id_of(trigger_id: ObjectId | str, event_id: ObjectId | str) -> str:
        return f"{trigger_id}-{event_id}"

    @classmethod
    def store_new(cls, runs: Sequence[TriggerRun]) -> None:
        """Store them with one command; one that is there stays as it is."""
        if not runs:
            return
        for run in runs:
            run.validate(clean=True)
        insert_new(cls, [run.to_mongo().to_dict() for run in runs])

    @classmethod
    def unfinished(cls, before: datetime, limit: int) -> list[TriggerRun]:
        """The oldest runs that began before a moment and have steps to do."""
        found = cls.objects(status=RUNNING, created_at__lt=before, steps__status__in=OPEN)
        return list(found.order_by("created_at").limit(limit))

    @classmethod
    def of_event(cls, event_id: ObjectId) -> list[TriggerRun]:
        return list(cls.objects(event_id=event_id))

    @classmethod
    def page(
        cls, trigger_id: ObjectId, before: tuple[datetime, str] | None, limit: int, status: str | None = None
    ) -> list[TriggerRun]:
        """The latest ones before that moment and id."""
        query: dict[str, Any] = {"trigger_id": trigger_id, **({"status": status} if status else {})}
        if before:
            moment, run_id = before
            query["$or"] = [{"created_at": {"$lt": moment}}, {"created_at": moment, "_id": {"$lt": run_id}}]
        return list(cls.objects(__raw__=query).order_by("-created_at", "-id").limit(limit))

    @classmethod
    def settle(cls, run_id: str) -> TriggerRun | None:
        """The run when its last step has ended, with its status brought up to date; None before.

        Safe to repeat. A requeued step may end at the same time: then the store refuses, and we look again.
        """
        while run := cls.objects(id=run_id).first():
            run.status = _status(step.status for step in run.steps)
            if run.status == RUNNING:
                return None
            guard = {"_id": run_id, "steps.status": _GUARDS[run.status]}
            if cls._get_collection().update_one(guard, {"$set": {"status": run.status}}).matched_count:
                return cast(TriggerRun, run)
        return None

    @classmethod
    def note_change(cls, run_id: str, place: int, changed: list[str]) -> list[str]:
        """Before the contact is changed: afterwards nobody could tell what did. Returns what was noted first.

        Safe to run twice and at the same time.
        """
        name = f"steps.{place}.changed"
        if changed:
            guard = {"_id": run_id, name: {"$in": [None, []]}}
            cls._get_collection().update_one(guard, {"$set": {name: changed}})
        run: TriggerRun | None = cls.objects(id=run_id).only("steps").first()
        return list(run.steps[place].changed) if run else []

    @classmethod
    def plan_anew(cls, run_id: str, place: int, action: dict[str, Any]) -> None:
        """What a failed step is to do when it is tried again. Safe to run twice."""
        guard = {"_id": run_id, f"steps.{place}.status": FAILED}
        cls._get_collection().update_one(guard, {"$set": {f"steps.{place}.action": action}})

    @classmethod
    def end_step(cls, run_id: str, place: int, status: str, **fields: Any) -> bool:
        """Record how a try of a step ended, unless it has ended for good; returns whether this call did."""
        step = f"steps.{place}"
        values = {"status": status, "ended_at": now(), **fields}
        change: dict[str, Any] = {
            "$set": {f"{step}.{name}": value for name, value in values.items()},
            "$inc": {f"{step}.tries": 1},
        }
        if status in OPEN:
            change["$set"]["status"] = RUNNING  # again, when a dead letter was requeued
        if status in ENDED:
            change["$unset"] = {f"{step}.error": "", f"{step}.action": ""}  # long texts, no more needed
        guard = {"_id": run_id, f"{step}.status": {"$nin": list(ENDED)}}
        return bool(cls._get_collection().update_one(guard, change).matched_count)

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})


def _status(steps: Iterable[str]) -> str:
    found = set(steps)
    if found & set(OPEN):
        return RUNNING
    return next((status for status in (FAILED, DONE) if status in found), SKIPPED)


# What must still be so of the steps when a run gets a status.
_GUARDS: dict[str, dict[str, Any]] = {
    FAILED: {"$in": [FAILED], "$nin": list(OPEN)},
    DONE: {"$in": [DONE], "$nin": [*OPEN, FAILED]},
    SKIPPED: {"$nin": [*OPEN, FAILED, DONE]},
}
