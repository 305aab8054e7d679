"""What shows interest is counted in the contact's score once, and a level that it reaches is told of once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from consumers import dispatch
from models import contact_intent, store
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.event import EventRecord
from models.notification import Notification
from publishers import events
from schemas.demo import DemoRequested
from schemas.email import EmailClicked, EmailOpened
from schemas.event import Event
from schemas.form import FormSubmitted
from schemas.page import PageViewed

URL = "https://acme.test"


@pytest.fixture
def contact(stores: None) -> Contact:
    return Contact.upsert(ObjectId(), "grace@navy.test", {})[0]


def some_id() -> str:
    return str(ObjectId())


def ids(contact: Contact) -> dict[str, str]:
    return {"workspace_id": str(contact.workspace_id), "contact_id": str(contact.id)}


def page_view(contact: Contact, **_: Any) -> Event:
    at = store.now() - timedelta(seconds=1)
    return PageViewed(**ids(contact), visit_id=some_id(), visitor_id="v", url=URL, viewed_at=at)


def opened(contact: Contact, is_machine: bool = False) -> Event:
    hit = {"hit_id": some_id(), "attempt_id": some_id(), "is_machine": is_machine}
    return EmailOpened(**ids(contact), **hit, opened_at=store.now())


def clicked(contact: Contact, is_machine: bool = False) -> Event:
    hit = {"hit_id": some_id(), "attempt_id": some_id(), "is_machine": is_machine}
    return EmailClicked(**ids(contact), **hit, url=URL, clicked_at=store.now())


def submitted(contact: Contact) -> Event:
    return FormSubmitted(**ids(contact), form_id=some_id(), submission_id=some_id())


def demo(contact: Contact) -> Event:
    return DemoRequested(**ids(contact), request_id=some_id())


def score(contact: Contact) -> int | None:
    row = Contact._get_collection().find_one({"_id": contact.id})
    signals = row.get("intent", {}).get("signals", {})
    assert (row.get("intent_score") or 0) == sum(signal["points"] for signal in signals.values())
    found: int | None = row.get("intent_score")
    return found


def deliver_again(*event_ids: str) -> None:
    for event_id in event_ids:
        EventRecord.objects(id=event_id).update(set__reactions={}, set__status="queued")
        dispatch.handle(event_id, EventRecord.objects.get(id=event_id).envelope())


@pytest.mark.parametrize(
    ("make", "points"), [(page_view, 5), (opened, 3), (clicked, 10), (submitted, 20), (demo, 50)]
)
def test_each_event_adds_its_points_once(
    contact: Contact, run_jobs: Callable[[], int], make: Callable[[Contact], Event], points: int
) -> None:
    event_id = events.publish(make(contact))
    run_jobs()
    assert score(contact) == points
    deliver_again(event_id)
    assert score(contact) == points
    contact.reload()
    assert contact.last_activity_at is not None


@pytest.mark.parametrize("make", [opened, clicked])
def test_what_a_mail_scanner_does_is_no_interest(
    contact: Contact, run_jobs: Callable[[], int], make: Callable[..., Event]
) -> None:
    events.publish(make(contact, is_machine=True))
    run_jobs()
    assert score(contact) is None


def test_a_form_of_nobody_known_is_nobodys_interest(contact: Contact, run_jobs: Callable[[], int]) -> None:
    nobody = {"workspace_id": str(contact.workspace_id)}
    events.publish(FormSubmitted(**nobody, form_id=some_id(), submission_id=some_id()))
    run_jobs()
    assert EventRecord.objects.get().status == "done"
    assert score(contact) is None


def test_each_level_that_is_reached_is_published_once(contact: Contact, run_jobs: Callable[[], int]) -> None:
    published = [events.publish(submitted(contact)) for _ in range(4)]  # 20, 40, 60, 80
    run_jobs()
    deliver_again(*published)
    crossed = EventRecord.objects(type="intent.threshold_crossed").order_by("position")
    told = [(r.payload["previousLevel"], r.payload["level"], r.payload["score"]) for r in crossed]
    assert told == [("low", "medium", 40), ("medium", "high", 80)]
    assert crossed[0].causation_id == published[1]


def test_a_level_is_published_although_the_worker_died_before_it_was(
    contact: Contact, run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise ConnectionError

    event_id = events.publish(demo(contact))
    with monkeypatch.context() as patch:
        patch.setattr("publishers.intent.crossed", die)
        record = EventRecord.objects.get(id=event_id)
        with pytest.raises(dispatch.ReactionsFailed):
            dispatch.handle(event_id, record.envelope())
    assert EventRecord.objects(type="intent.threshold_crossed").count() == 0
    run_jobs()
    assert EventRecord.objects(type="intent.threshold_crossed").count() == 1
    assert contact_intent.crossed(f"event:{event_id}") == []


def test_a_workspaces_rules_count_and_invalid_ones_do_not(
    contact: Contact, run_jobs: Callable[[], int]
) -> None:
    profile = BusinessProfile(id=contact.workspace_id, rules={"intent": {"points": {"demoRequest": 9}}})
    profile.save()
    events.publish(demo(contact))
    run_jobs()
    assert score(contact) == 9
    BusinessProfile._get_collection().update_one({}, {"$set": {"rules.intent.points": "all"}})
    events.publish(demo(contact))
    run_jobs()
    assert score(contact) == 59
    assert "rules.intent.points" in Notification.objects.get(kind="rules_invalid").message
