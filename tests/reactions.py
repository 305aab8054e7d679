"""For tests of reactions: an event happens, is handled, and delivered once more as if nobody remembered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bson import ObjectId

from consumers import activity
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.notification import Notification
from publishers import events
from schemas.event import Event

RunJobs = Callable[[], int]


def happens(event: Event, run_jobs: RunJobs) -> EventRecord:
    """Publish and handle it, forget which reactions took effect and what jobs there were, handle it again."""
    event_id = ObjectId(events.publish(event))
    run_jobs()
    record: EventRecord = EventRecord.objects.get(id=event_id)
    assert record.status == "done", record.error
    EventRecord.objects(id=event_id).update(set__reactions={}, set__status="pending", inc__runs=1)
    record.reload()
    events.put_on_queue([record])
    run_jobs()
    assert record.reload().status == "done"
    return record


def touch(deal_id: ObjectId, at: datetime) -> None:
    """Somebody was in touch about the deal."""
    mine = str(Deal.objects.get(id=deal_id).workspace_id)
    activity.stamp(at, workspace_id=mine, contact_id=None, deal_id=str(deal_id))


def timeline(contact: Contact) -> list[str]:
    """The titles, the oldest first."""
    return [entry.title for entry in Activity.objects(contact_id=contact.id).order_by("happened_at", "id")]


def notices(user_id: ObjectId | None) -> list[str]:
    """What a member was told, or with None the admins; the oldest first."""
    return [notice.message for notice in Notification.objects(user_id=user_id).order_by("created_at")]
