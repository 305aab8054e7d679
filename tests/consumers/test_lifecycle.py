"""Whatever may make a step along the lifecycle due marks the contact, once it is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from models import contact_intent
from models.contact import Contact
from models.deal import Deal
from models.intent import Source
from schemas.activity import ActivityLogged
from schemas.contact import ContactLifecycleChanged, ContactUpdated
from schemas.event import Event
from schemas.form import FormSubmitted
from schemas.meeting import MeetingScheduled
from schemas.opportunity import OpportunityCreated, OpportunityLost, OpportunityUpdated, OpportunityWon
from schemas.rules import IntentRules
from tests.reactions import RunJobs, happens

AT = datetime(2026, 2, 4, 9, 30, tzinfo=UTC)
ID = str(ObjectId())


def mark(contact: Contact) -> Any:
    row = Contact._get_collection().find_one({"_id": contact.id})
    return row.get("lifecycle", {}).get("mark")


def unmark() -> None:
    Contact._get_collection().update_many({}, {"$unset": {"lifecycle": ""}})


HAPPENINGS: list[tuple[type[Event], dict[str, Any], bool]] = [
    (FormSubmitted, {"form_id": ID, "submission_id": ID}, True),
    (ActivityLogged, {"activity_id": ID, "kind": "call", "happened_at": AT}, True),
    (ActivityLogged, {"activity_id": ID, "kind": "note", "happened_at": AT}, True),
    (MeetingScheduled, {"meeting_id": ID, "starts_at": AT}, True),
    (ContactUpdated, {"changed": ["manualOverride"]}, True),
    (ContactUpdated, {"changed": ["lifecycleStage"]}, True),
    (ContactUpdated, {"changed": ["tags"]}, True),  # its first grade
    (ContactLifecycleChanged, {"stage": "mql", "occasion": "event:1"}, True),
    (ContactLifecycleChanged, {"stage": "mql", "occasion": "progression:1"}, False),
]


@pytest.mark.parametrize(("kind", "fields", "marks"), HAPPENINGS)
def test_what_may_make_a_step_due_marks_the_contact(
    grace: Contact,
    about: dict[str, str],
    run_jobs: RunJobs,
    kind: type[Event],
    fields: dict[str, Any],
    marks: bool,
) -> None:
    happens(kind(**about, **fields), run_jobs)
    found = mark(grace)
    assert (found is not None) == marks
    if found:
        assert (found["workspace_id"], found["contact_id"]) == (grace.workspace_id, grace.id)


def test_another_grade_marks_and_the_same_does_not(grace: Contact) -> None:
    grace.record_score(60, "B", [], 1)
    first = mark(grace)["value"]
    unmark()
    grace.record_score(61, "B", [], 1)
    assert mark(grace) is None
    assert Contact.objects.get().lead_score == 61
    grace.record_score(80, "A", [], 1)
    assert mark(grace)["value"] != first


def test_more_interest_marks_and_the_same_event_again_does_not(grace: Contact) -> None:
    sources = {grace.id: [Source(ObjectId(), "page_view", AT)]}
    contact_intent.count(grace.workspace_id, sources, IntentRules())
    assert mark(grace)
    unmark()
    contact_intent.count(grace.workspace_id, sources, IntentRules())
    assert mark(grace) is None


@pytest.mark.parametrize("kind", [OpportunityCreated, OpportunityUpdated, OpportunityWon, OpportunityLost])
def test_a_deal_marks_each_of_its_contacts(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs, kind: type[Event]
) -> None:
    other, _ = Contact.upsert(grace.workspace_id, "joan@navy.test", {})
    nobody, _ = Contact.upsert(grace.workspace_id, "betty@navy.test", {})
    deal = Deal(workspace_id=grace.workspace_id, contact_ids=[grace.id, other.id], title="Compilers").save()
    more: dict[str, Any] = {"changed": ["title"]} if kind is OpportunityUpdated else {}
    if kind in (OpportunityWon, OpportunityLost):
        more = {"closed_at": AT}
    happens(kind(**about, deal_id=str(deal.id), **more), run_jobs)
    assert [mark(each) is not None for each in (grace, other, nobody)] == [True, True, False]


@pytest.mark.parametrize(("kind", "status"), [(OpportunityWon, "won"), (OpportunityLost, "lost")])
def test_a_closed_deal_keeps_how_and_when(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs, kind: type[Event], status: str
) -> None:
    deal = Deal(workspace_id=grace.workspace_id, contact_ids=[grace.id], title="Compilers").save()
    happens(kind(**about, deal_id=str(deal.id), closed_at=AT), run_jobs)
    deal.reload()
    assert (deal.status, deal.closed_at) == (status, AT)


def test_a_deal_that_was_closed_later_is_not_closed_earlier(grace: Contact) -> None:
    later = datetime(2026, 2, 5, tzinfo=UTC)
    deal = Deal(workspace_id=grace.workspace_id, title="Compilers").save()
    Deal.close(grace.workspace_id, deal.id, "won", later)
    Deal.close(grace.workspace_id, deal.id, "lost", AT)
    Deal.close(ObjectId(), deal.id, "lost", datetime(2026, 2, 6, tzinfo=UTC))  # another workspace's
    deal.reload()
    assert (deal.status, deal.closed_at) == ("won", later)
