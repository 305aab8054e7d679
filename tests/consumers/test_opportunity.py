"""What people do with an opportunity stands in two timelines, the deal's and the contact's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pydantic.alias_generators import to_camel

from models.activity import About, Activity
from models.contact import Contact
from schemas.event import Event
from schemas.opportunity import (
    OpportunityCreated,
    OpportunityLost,
    OpportunityStageChanged,
    OpportunityWon,
)
from tests.reactions import RunJobs, happens, timeline

AT = datetime(2026, 2, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "fields", "title"),
    [
        (OpportunityCreated, {"stage": "New"}, "Opportunity opened"),
        (OpportunityStageChanged, {"stage": "Offer", "changed_at": AT}, "Opportunity moved to Offer"),
        (
            OpportunityStageChanged,
            {"stage": "Offer", "previous_stage": "New", "changed_at": AT},
            "Opportunity moved from New to Offer",
        ),
        (OpportunityWon, {"closed_at": AT, "amount": 5, "currency": "EUR"}, "Opportunity won"),
        (OpportunityLost, {"closed_at": AT, "reason": "too dear"}, "Opportunity lost"),
    ],
)
def test_the_timelines_of_deal_and_contact_tell_once(
    grace: Contact,
    about: dict[str, str],
    run_jobs: RunJobs,
    kind: type[Event],
    fields: dict[str, Any],
    title: str,
) -> None:
    deal_id = ObjectId()
    happens(kind(**about, deal_id=str(deal_id), **fields), run_jobs)
    assert timeline(grace) == [title]
    (entry,) = Activity.timeline(grace.workspace_id, About(deal_id=deal_id), 9)
    assert entry.title == title
    assert entry.happened_at == AT or kind is OpportunityCreated
    told = {to_camel(name): value for name, value in fields.items() if not name.endswith("_at")}
    assert entry.details == {**told, "dealId": str(deal_id)}


def test_a_deal_with_nobody_has_a_timeline_too(grace: Contact, run_jobs: RunJobs) -> None:
    deal_id = ObjectId()
    happens(OpportunityCreated(workspace_id=str(grace.workspace_id), deal_id=str(deal_id)), run_jobs)
    (entry,) = Activity.timeline(grace.workspace_id, About(deal_id=deal_id), 9)
    assert entry.contact_id is None
