"""A deal that has gone quiet: who is to know knows, once per level and quiet spell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import pytest
from bson import ObjectId

from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.task import Task
from publishers import deals
from schemas.deal import DealStale
from schemas.event import decode
from tests.reactions import RunJobs, happens, notices, timeline

SINCE = datetime(2026, 2, 4, tzinfo=UTC)
QUIET = "Nothing has happened with Compilers since 04 February 2026"


@pytest.fixture
def deal(grace: Contact) -> Deal:
    return Deal(
        workspace_id=grace.workspace_id,
        contact_ids=[grace.id],
        title="Compilers",
        assigned_to=grace.assigned_to,
    ).save()


def goes_quiet(deal: Deal, level: Literal["stale", "at_risk"], run_jobs: RunJobs) -> None:
    deals.stale(deal, level, quiet_since=SINCE)
    record = EventRecord.objects(type="deal.stale", payload__level=level).get()
    happens(decode(record.type, record.version, record.payload), run_jobs)


def test_its_owner_is_told_and_has_something_to_do(deal: Deal, grace: Contact, run_jobs: RunJobs) -> None:
    goes_quiet(deal, "stale", run_jobs)
    assert sorted(notices(deal.assigned_to)) == ["For you: Get in touch about Compilers", QUIET]
    assert notices(None) == []
    task = Task.objects.get()
    assert (task.assigned_to, task.deal_id, task.contact_id) == (deal.assigned_to, deal.id, grace.id)
    told = ["Nothing has happened since 04 February 2026", "Task: Get in touch about Compilers"]
    assert sorted(timeline(grace)) == told


def test_at_risk_the_admins_are_told_too_and_the_task_is_the_same(deal: Deal, run_jobs: RunJobs) -> None:
    goes_quiet(deal, "stale", run_jobs)
    goes_quiet(deal, "at_risk", run_jobs)
    assert notices(None) == [QUIET]
    assert notices(deal.assigned_to).count(QUIET) == 2
    assert Task.objects.count() == EventRecord.objects(type="task.created").count() == 1


def test_of_a_deal_without_owner_the_admins_are_told(deal: Deal, run_jobs: RunJobs) -> None:
    deal.update(unset__assigned_to=True)
    goes_quiet(deal.reload(), "stale", run_jobs)
    assert notices(None) == [QUIET]


def test_a_deal_that_is_gone_is_still_told_of(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(DealStale(**about, deal_id=str(ObjectId()), level="stale", quiet_since=SINCE), run_jobs)
    assert notices(None) == ["Nothing has happened with a deal since 04 February 2026"]
