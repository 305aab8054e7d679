"""What follows a page view."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from consumers import dispatch
from models import store
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.notification import Notification
from models.trigger import Trigger
from models.visitor_event import VisitorEvent
from publishers import events
from schemas.page import PageViewed

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def contact(stores: None) -> Contact:
    return Contact.upsert(ObjectId(), "grace@navy.test", {})[0]


def viewed(
    contact: Contact, at: datetime = NOON, url: str = "https://acme.test/pricing?a=1", **more: str
) -> PageViewed:
    return PageViewed(
        workspace_id=str(contact.workspace_id),
        visit_id=str(ObjectId()),
        visitor_id="visitor-1",
        url=url,
        viewed_at=at,
        **more,
    )


def test_a_view_by_a_known_contact_is_on_the_timeline_and_is_an_activity(
    contact: Contact, run_jobs: Callable[[], int]
) -> None:
    events.publish(viewed(contact, contact_id=str(contact.id)))
    run_jobs()
    entry = Activity.objects.get()
    assert (entry.contact_id, entry.kind, entry.title) == (contact.id, "page_viewed", "Viewed /pricing")
    assert (entry.happened_at, entry.details) == (NOON, {"url": "https://acme.test/pricing?a=1"})
    contact.reload()
    assert contact.last_activity_at == NOON


def test_the_front_page_has_a_name_too(contact: Contact, run_jobs: Callable[[], int]) -> None:
    events.publish(viewed(contact, url="https://acme.test", contact_id=str(contact.id)))
    run_jobs()
    assert Activity.objects.get().title == "Viewed /"


def test_a_delivery_that_is_repeated_changes_nothing(contact: Contact, run_jobs: Callable[[], int]) -> None:
    event_id = events.publish(viewed(contact, contact_id=str(contact.id)))
    run_jobs()
    record = EventRecord.objects.get(id=event_id)
    EventRecord.objects.update(set__reactions={}, set__status="queued")
    dispatch.handle(event_id, record.envelope())
    run_jobs()
    assert Activity.objects.count() == 1


def test_a_view_by_somebody_unknown_leaves_no_trace(contact: Contact, run_jobs: Callable[[], int]) -> None:
    events.publish(viewed(contact))
    run_jobs()
    assert Activity.objects.count() == 0
    assert EventRecord.objects.get().status == "done"


def test_a_visitor_who_is_identified_before_the_reaction_runs_is_known(
    contact: Contact, run_jobs: Callable[[], int]
) -> None:
    event = viewed(contact)
    VisitorEvent(
        id=ObjectId(event.visit_id),
        workspace_id=contact.workspace_id,
        visitor_id="visitor-1",
        session_id="s",
        event_type="page_view",
        event_name="n",
        url=event.url,
        happened_at=NOON,
    ).save()
    events.publish(event)
    VisitorEvent.link_visitor(contact.workspace_id, "visitor-1", contact.id)
    run_jobs()
    assert Activity.objects.get().contact_id == contact.id


def test_a_visitors_fast_clock_does_not_reach_the_timeline(
    contact: Contact, run_jobs: Callable[[], int]
) -> None:
    events.publish(viewed(contact, at=store.now() + timedelta(minutes=4), contact_id=str(contact.id)))
    run_jobs()
    contact.reload()
    accepted = EventRecord.objects.get().accepted_at
    assert Activity.objects.get().happened_at == contact.last_activity_at == accepted


def test_an_automation_may_wait_for_a_page_view(contact: Contact, run_jobs: Callable[[], int]) -> None:
    Trigger(
        workspace_id=contact.workspace_id,
        name="Pricing",
        event_type="page.viewed",
        actions=[{"type": "notify", "message": "{{contact.email}} looked at {{event.url}}"}],
    ).save()
    events.publish(viewed(contact, contact_id=str(contact.id)))
    run_jobs()
    assert Notification.objects.get().message == "grace@navy.test looked at https://acme.test/pricing?a=1"
