"""The timeline: reactions hand their entries on to `crm-activity-log`, whose job writes them.

What people enter themselves stands there already: it only moves the last-activity stamps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from consumers.registry import Delivery, Jobs, reacts_to
from models import contact_lifecycle
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.store import now
from publishers import silence
from queues.enqueue import NewJob
from queues.names import CRM_ACTIVITY_LOG
from schemas.activity import ActivityLogged

Entry = dict[str, Any]

MEETING = "meeting_scheduled"  # the kind of such an entry
RECORD, RECORD_ALL = "consumers.activity.record", "consumers.activity.record_all"  # what the jobs call
IDS = ("workspace_id", "contact_id", "company_id", "deal_id")


def entry(
    delivery: Delivery,
    *,
    workspace_id: str,
    kind: str,
    title: str,
    contact_id: str | None = None,
    company_id: str | None = None,
    deal_id: str | None = None,
    happened_at: datetime | None = None,
    details: Mapping[str, Any] | None = None,
) -> Entry:
    """The one entry of an event and contact, or of the event when it is about none, as plain JSON."""
    about = {"contact_id": contact_id, "company_id": company_id, "deal_id": deal_id}
    source = f"event:{delivery.event_id}:{contact_id}" if contact_id else f"event:{delivery.event_id}"
    return {
        "workspace_id": workspace_id,
        **{name: given for name, given in about.items() if given},
        "kind": kind,
        "title": title,
        "source": source,
        "happened_at": (happened_at or delivery.accepted_at).isoformat(),
        "details": {name: value for name, value in (details or {}).items() if value is not None},
    }


def logged(delivery: Delivery, **fields: Any) -> Jobs:
    """The job that enters one timeline entry, of the fields of `entry`. Safe to run twice: job and entry are
    unique.
    """
    made = entry(delivery, **fields)
    return [
        NewJob(
            queue=CRM_ACTIVITY_LOG,
            func=RECORD,
            id="-".join(["activity", *made["source"].split(":")[1:]]),
            kwargs=made,
            description=f"timeline entry {made['kind']}",
            meta={**delivery.meta, "workspace_id": made["workspace_id"]},
        )
    ]


def all_logged(entries: Sequence[Entry], delivery: Delivery) -> Jobs:
    """The jobs that enter many entries of contacts of one workspace, one per contact: when one is erased its
    jobs go, too. Safe to run twice, like that of `logged`.
    """
    by_contact: dict[str, list[Entry]] = {}
    for made in entries:
        by_contact.setdefault(made["contact_id"], []).append(made)
    return [_job(mine, delivery) for mine in by_contact.values()]


def entries_of(job: NewJob) -> list[Entry] | None:
    """What a job of ours enters in timelines; None for another job."""
    if job.func == RECORD:
        return [job.kwargs]
    return list(job.kwargs["entries"]) if job.func == RECORD_ALL else None


def _job(entries: Sequence[Entry], delivery: Delivery) -> NewJob:
    first = hashlib.sha256(entries[0]["source"].encode()).hexdigest()[:24]
    return NewJob(
        queue=CRM_ACTIVITY_LOG,
        func=RECORD_ALL,
        id=f"activities-{delivery.event_id}-{first}",
        kwargs={"entries": list(entries)},
        description=f"{len(entries)} timeline entries",
        meta={**delivery.meta, "workspace_id": entries[0]["workspace_id"]},
    )


def record(**entry: Any) -> bool:
    """Write one timeline entry; returns whether it is new. Safe to run twice: its source is unique."""
    return record_all([entry]) == 1


def record_all(entries: list[Entry]) -> int:
    """Write many entries with one store command; returns how many are new. Safe as `record` is."""
    stored = [_stored(entry) for entry in entries]
    added = Activity.record_all(stored)
    # By our own entry of a meeting a step along the lifecycle may be due, if the workspace wants that.
    if met := [each["contact_id"] for each in stored if each["kind"] == MEETING and "contact_id" in each]:
        contact_lifecycle.mark(stored[0]["workspace_id"], met)
    return added


def _stored(entry: Entry) -> Entry:
    """An entry as the store keeps it."""
    ids = {name: ObjectId(entry[name]) for name in IDS if name in entry}
    return {**entry, **ids, "happened_at": datetime.fromisoformat(entry["happened_at"])}


@reacts_to(ActivityLogged)
def stamp_last_activity(event: ActivityLogged, delivery: Delivery) -> None:
    """Of the contact, its open deals and the deal. Safe to run twice: the stamps only move forward."""
    at = min(event.happened_at, delivery.accepted_at)
    stamp(at, workspace_id=event.workspace_id, contact_id=event.contact_id, deal_id=event.deal_id)


def stamp(at: datetime, *, workspace_id: str, contact_id: str | None, deal_id: str | None) -> None:
    """Somebody was in touch with them at that moment, and the silence of their deals is over.

    Safe to run twice: the stamps only move forward. Tasks that a crash leaves open are closed by the next
    `stale-deal-alert`.
    """
    workspace = ObjectId(workspace_id)
    if contact_id:
        contact = ObjectId(contact_id)
        Contact.touch(workspace, {contact: at})
        if Deal.touch(workspace, {contact: at}):
            silence.ended_of({"contact_ids": contact, "workspace_id": workspace}, now())
    if deal_id and Deal.touch_one(workspace, ObjectId(deal_id), at):
        silence.ended_of({"_id": ObjectId(deal_id), "workspace_id": workspace}, now())
