"""Contacts and what happens to them, for the tests of the lifecycle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

from jobs import lifecycle_progression
from models import contact_lifecycle
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.form_submission import FormSubmission
from models.lifecycle_step import LifecycleStep
from models.once import Once
from queues.connection import redis
from queues.job import Job

TICK = datetime(2026, 3, 10, 4, tzinfo=UTC)
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
WORKSPACE = ObjectId()
QUEUE = "rq:queue:analytics"

Row = dict[str, Any]


def contact(*, workspace: ObjectId = WORKSPACE, **stored: Any) -> ObjectId:
    """A marked contact with these stored fields, whatever they are."""
    made, _ = Contact.upsert(workspace, f"{ObjectId()}@navy.test", {})
    if stored:
        Contact._get_collection().update_one({"_id": made.id}, {"$set": stored})
    contact_lifecycle.mark(workspace, [made.id])
    return made.id  # type: ignore[no-any-return]  # of MongoEngine


def ready(stage: str = "lead", **stored: Any) -> ObjectId:
    """A marked contact that lacks nothing but a form, a talk or a deal."""
    return contact(**{"lifecycle_stage": stage, "lead_grade": "A", "intent_score": 51, **stored})


def form(contact_id: ObjectId, *, workspace: ObjectId = WORKSPACE, form_id: ObjectId | None = None) -> None:
    fields = {"workspace_id": workspace, "contact_id": contact_id}
    FormSubmission.store_once(form_id=form_id or ObjectId(), key=str(ObjectId()), **fields)


def talk(contact_id: ObjectId, kind: str = "call", *, workspace: ObjectId = WORKSPACE) -> None:
    ids = {"workspace_id": workspace, "contact_id": contact_id}
    Activity.record(**ids, kind=kind, title="Spoke", source=str(ObjectId()), happened_at=AT)


def deal(*contact_ids: ObjectId, workspace: ObjectId = WORKSPACE, **stored: Any) -> ObjectId:
    """A deal with these stored fields, whatever they are."""
    row = {"_id": ObjectId(), "workspace_id": workspace, "contact_ids": list(contact_ids), "title": "Deal"}
    Deal._get_collection().insert_one({**row, "status": "open", **stored})
    return row["_id"]  # type: ignore[return-value]  # an id


def everything(contact_id: ObjectId, workspace: ObjectId = WORKSPACE) -> None:
    """All that the rules ask for, beside grade and score."""
    form(contact_id, workspace=workspace)
    talk(contact_id, workspace=workspace)
    deal(contact_id, workspace=workspace, status="won", closed_at=AT)


def progress(tick: datetime = TICK) -> list[dict[str, int]]:
    """The job and all that it enqueues, run here; the results of its ranges."""
    Once.mark_done(lifecycle_progression.FIRST_TIME)
    lifecycle_progression.run(tick.isoformat())
    results = []
    while jobs := planned():
        for job in jobs:
            result = job.func(**job.kwargs)
            results += [result] if isinstance(result, dict) else []
    return results


def planned() -> list[Job]:
    """The jobs that wait, which are taken off the queue."""
    jobs = Job.fetch_many([key.decode() for key in redis().lrange(QUEUE, 0, -1)], redis())
    redis().delete(QUEUE)
    return [job for job in jobs if job]


def forget_jobs() -> None:
    """As if the next tick were hours later: the ids of this one's jobs are free again."""
    redis().flushall()


def row(contact_id: ObjectId) -> Row:
    found: Row = Contact._get_collection().find_one({"_id": contact_id})
    return found


def stage(contact_id: ObjectId) -> Any:
    return row(contact_id).get("lifecycle_stage")


def is_marked(contact_id: ObjectId) -> bool:
    return "mark" in row(contact_id).get("lifecycle", {})


def history(contact_id: ObjectId) -> list[tuple[str, str]]:
    """Its rows, from stage to stage."""
    return [(step.previous_stage, step.stage) for step in LifecycleStep.of(contact_id)]


def told(contact_id: ObjectId) -> list[tuple[str, str]]:
    """Its events, from stage to stage, in the order of their publication."""
    events = EventRecord.objects(type="contact.lifecycle_changed").order_by("position")
    mine = [event.payload for event in events if event.payload["contactId"] == str(contact_id)]
    return [(payload["previousStage"], payload["stage"]) for payload in mine]


def state() -> Any:
    """All documents that the job may change, without when that was."""
    contacts = [{k: v for k, v in each.items() if k != "updated_at"} for each in _all(Contact)]
    steps = [(s.contact_id, s.previous_stage, s.stage) for s in LifecycleStep.objects.order_by("id")]
    payloads = [event.payload for event in EventRecord.objects.order_by("position")]
    events = [(p["contactId"], p.get("previousStage"), p["stage"]) for p in payloads]
    return contacts, sorted(steps, key=str), sorted(events, key=str)


def _all(kind: Any) -> list[Row]:
    return list(kind._get_collection().find().sort("_id"))
