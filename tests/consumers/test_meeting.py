"""Meetings: in the timeline when agreed on, announced to the owner when they are near."""

from __future__ import annotations

from datetime import UTC, datetime

from bson import ObjectId

from models.contact import Contact
from models.deal import Deal
from schemas.meeting import MeetingScheduled, MeetingUpcoming
from tests.reactions import RunJobs, happens, notices, timeline

AT = {"meeting_id": str(ObjectId()), "starts_at": datetime(2026, 2, 4, 9, 30, tzinfo=UTC)}


def test_a_meeting_agreed_on_is_told_and_counts_as_activity(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    mine = {"workspace_id": grace.workspace_id, "title": "Compilers"}
    hers, other = Deal(**mine, contact_ids=[grace.id]).save(), Deal(**mine).save()
    record = happens(MeetingScheduled(**about, **AT, deal_id=str(other.id)), run_jobs)
    assert timeline(grace) == ["Meeting agreed on for 04 February 2026, 09:30 UTC"]
    for each in (grace, hers, other):
        assert each.reload().last_activity_at == record.accepted_at


def test_the_owner_is_told_of_a_meeting_that_is_near(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(MeetingUpcoming(**about, **AT, briefing_id=str(ObjectId())), run_jobs)
    assert notices(grace.assigned_to) == ["Meeting with Grace Hopper at 09:30 UTC; the briefing is ready"]


def test_a_meeting_with_nobody_we_know_concerns_nobody(about: dict[str, str], run_jobs: RunJobs) -> None:
    nobody = {"workspace_id": about["workspace_id"]}
    happens(MeetingScheduled(**nobody, **AT), run_jobs)
    happens(MeetingUpcoming(**nobody, **AT), run_jobs)
    assert notices(None) == []
