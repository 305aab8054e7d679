"""Work lost leads once more that have shown interest again.

`run` only fans out, in parts of a workspace's contacts: each may be repeated or die at any point. A workspace
with a time zone has it done at 9 there. Rules: docs/recycling.md. Their boundaries, as a table of cases:
tests/jobs/test_lead_recycling.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby, islice

import structlog
from bson import ObjectId

from models import contact_recycling
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.enrolment import Enrolment
from models.lead_recycling import LeadRecycling
from models.notification import Notification
from models.sequence import Sequence
from models.store import insert_new, now
from models.suppression import Suppression
from models.task import Task
from models.workspace import Workspace
from publishers import contacts as publishing
from publishers import events, tasks
from queues.enqueue import NewJob, enqueue_each_at
from queues.names import ANALYTICS
from schemas.rules import RecyclingRules
from services import daily

HOUR = 9  # in a workspace's own time zone; those without one follow the cron table
PART = 500  # contacts of one job
AT_ONCE = 100  # jobs per round trip
BATCHES = "recycling-"  # how the names of what comes of the parts begin
HELD = "No lead is recycled until your rules are right"  # once per loss: it is never made up for
TASK = "Follow up with recycled lead"

Rules = Mapping[ObjectId, RecyclingRules]  # of workspaces with rules of their own
Moments = Mapping[ObjectId, datetime]  # of workspaces with a time zone

log = structlog.get_logger()


def run(tick: str) -> int:
    """Enqueue one `recycle` per 500 contacts of a workspace that are due; returns how many.

    Safe to run twice and to die in: what was not enqueued is still due, and a part has one job a moment.
    """
    moment = datetime.fromisoformat(tick)
    _finish_left_over(moment)
    rules = BusinessProfile.with_own(RecyclingRules)
    moments = {each: daily.next_at(HOUR, zone, moment) for each, zone in Workspace.zones().items()}
    planned, jobs = 0, _jobs(moment, moments, rules)
    while some := list(islice(jobs, AT_ONCE)):
        enqueue_each_at(some)
        planned += len(some)
    log.info("♻️  Lead recycling planned", jobs=planned)
    return planned


def recycle(workspace_id: str, contact_ids: list[str], as_of: str) -> dict[str, int]:
    """Recycle those of these contacts that are due, and do what follows: enrolment, task, record, events.

    Safe to run twice: who is recycled is not lost any more, and what follows is noted in the contact until
    all of it is done; each has a key of contact and loss. Fourteen store commands, whatever their number.
    """
    workspace, moment = ObjectId(workspace_id), datetime.fromisoformat(as_of)
    batch = _batch(workspace_id, contact_ids[0], moment)
    rules = BusinessProfile.if_valid(workspace, RecyclingRules, HELD)
    if rules is None:
        return {"due": 0, "recycled": 0}
    rows = contact_recycling.of(workspace, [ObjectId(each) for each in contact_ids])
    due = [row for row in rows if contact_recycling.is_due(row, moment, rules)]
    if free := _free(workspace, due):
        contact_recycling.recycle(free, moment, _sequence(workspace, rules), batch)
    recycled = _finish(contact_recycling.recycled(batch))
    log.info("♻️  Leads recycled", workspace_id=workspace_id, due=len(due), recycled=recycled)
    return {"due": len(due), "recycled": recycled}


def _finish_left_over(moment: datetime) -> None:
    """What jobs before this tick's did not come to do. Who unsubscribed since then is enrolled no more."""
    while left := contact_recycling.left_over(BATCHES, f"{BATCHES}{moment:%Y%m%dT%H%M%S}", PART):
        for workspace in {each.workspace_id for each in left}:
            mine = [each for each in left if each.workspace_id == workspace]
            emails = [each.email for each in mine]
            contact_recycling.take_out(mine, Suppression.among(workspace, emails))
            _finish(mine)


def _jobs(tick: datetime, moments: Moments, rules: Rules) -> Iterator[tuple[NewJob, datetime]]:
    longest = max(each.interest_days for each in [RecyclingRules(), *rules.values()])
    rows = contact_recycling.interested(tick - timedelta(days=longest))
    for workspace, found in groupby(rows, key=lambda row: row["workspace_id"]):
        as_of, own = moments.get(workspace, tick), rules.get(workspace, RecyclingRules())
        ids = (str(row["_id"]) for row in found if contact_recycling.is_due(row, as_of, own))
        while some := list(islice(ids, PART)):
            yield _job(str(workspace), some, as_of), as_of


def _job(workspace_id: str, contact_ids: list[str], as_of: datetime) -> NewJob:
    return NewJob(
        queue=ANALYTICS,
        func="jobs.lead_recycling.recycle",
        id=_batch(workspace_id, contact_ids[0], as_of),
        kwargs={"workspace_id": workspace_id, "contact_ids": contact_ids, "as_of": as_of.isoformat()},
        description=f"recycle {len(contact_ids)} contacts",
        meta={"workspace_id": workspace_id},
    )


def _batch(workspace_id: str, first: str, as_of: datetime) -> str:
    """The id of a part's job, and the name of what comes of it."""
    return f"{BATCHES}{as_of:%Y%m%dT%H%M%S}-{workspace_id}-{first}"


def _free(workspace: ObjectId, due: list[contact_recycling.Row]) -> list[contact_recycling.Row]:
    """Those who are in no sequence and may be written to. Two queries."""
    due = [row for row in due if isinstance(row.get("email"), str)]
    if not due:
        return []
    busy = Enrolment.open_among([row["_id"] for row in due])
    suppressed = Suppression.among(workspace, [row["email"] for row in due])
    return [row for row in due if row["_id"] not in busy and row["email"] not in suppressed]


def _sequence(workspace: ObjectId, rules: RecyclingRules) -> Sequence | None:
    """The re-engagement sequence; of one that cannot be used the admins are told once."""
    if rules.sequence_id is None:
        return None
    found = Sequence.of(workspace, ObjectId(rules.sequence_id))
    if found and found.is_active:
        return found
    Notification.notify(
        workspace_id=workspace,
        user_id=None,
        kind="recycling_without_sequence",
        message="Recycled leads are enrolled in no sequence: rules.recycling.sequenceId names none in use",
        key=f"recycling-sequence:{workspace}:{rules.sequence_id}",
    )
    return None


def _finish(contacts: list[Contact]) -> int:
    """Do what follows, each thing once; returns for how many contacts."""
    if not contacts:
        return 0
    keys = {each.id: f"recycling:{each.id}:{each.recycling.lost_at.isoformat()}" for each in contacts}
    enrolments = Enrolment.enrol_all([_enrolment(each, keys[each.id]) for each in contacts])
    created = Task.create_all([_task(each, keys[each.id]) for each in contacts])
    insert_new(LeadRecycling, [_record(each, keys[each.id], enrolments, created) for each in contacts])
    with events.batch():
        for each in contacts:
            enrolment = enrolments.get(keys[each.id])
            publishing.recycled(each, lost_at=each.recycling.lost_at, enrolment_id=enrolment)
            tasks.created(created[keys[each.id]])
    contact_recycling.done(contacts)
    return len(contacts)


def _enrolment(contact: Contact, key: str) -> dict[str, object] | None:
    if contact.recycling.sequence_id is None:
        return None
    return {
        "workspace_id": contact.workspace_id,
        "contact_id": contact.id,
        "sequence_id": contact.recycling.sequence_id,
        "version": contact.recycling.sequence_version,
        "key": key,
    }


def _task(contact: Contact, key: str) -> dict[str, object]:
    about = {"workspace_id": contact.workspace_id, "contact_id": contact.id}
    return {**about, "assigned_to": contact.assigned_to, "title": TASK, "key": key}


def _record(
    contact: Contact, key: str, enrolments: Mapping[str, ObjectId], created: Mapping[str, Task]
) -> dict[str, object]:
    loss = contact.recycling
    row = {name: loss[name] for name in ("lost_at", "lost_as", "interest_at", "recycled_at")}
    made = {"task_id": created[key].id, **({"enrolment_id": enrolments[key]} if key in enrolments else {})}
    return {
        "workspace_id": contact.workspace_id,
        "contact_id": contact.id,
        **row,
        **made,
        "created_at": now(),
    }
