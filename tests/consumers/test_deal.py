"""A deal that has gone quiet: who is to know knows, once per level and quiet spell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from bson import ObjectId

from consumers import activity
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.task import Task
from publishers import deals
from queues.connection import redis
from schemas.deal import DealStale
from schemas.event import decode
from schemas.opportunity import OpportunityLost, OpportunityWon
from tests import killing, reactions
from tests.jobs.test_stale_deal_alert import alert
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
        created_at=SINCE - timedelta(days=1),
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


def is_told_of(deal: Deal, run_jobs: RunJobs) -> None:
    """By the job itself, so that the deal remembers."""
    deal.update(set__last_activity_at=SINCE)
    alert(SINCE + timedelta(days=30))
    run_jobs()


def done() -> list[str]:
    """Who completed which task, as it was published."""
    found = EventRecord.objects(type="task.completed")
    return [record.payload.get("completedBy", "the system") for record in found]


@pytest.mark.parametrize("about", ["contact", "deal"])
def test_an_activity_takes_the_tag_away_and_completes_the_task(
    deal: Deal, grace: Contact, run_jobs: RunJobs, about: str
) -> None:
    deal.update(set__tags=["big"])
    is_told_of(deal, run_jobs)
    assert deal.reload().tags == ["big", "at-risk"]
    ids: dict[str, Any] = {"contact_id": None, "deal_id": None, "workspace_id": str(grace.workspace_id)}
    ids[f"{about}_id"] = str(grace.id if about == "contact" else deal.id)
    at = SINCE + timedelta(days=31)
    for _ in range(2):
        activity.stamp(at, **ids)
    assert deal.reload().tags == ["big"]
    assert (deal.last_activity_at, deal.silence.level, deal.silence.ended) == (at, None, [])
    task = Task.objects.get()
    assert (task.status, task.closed_by) == ("completed", "deal.active")
    assert done() == ["the system"]


@pytest.mark.parametrize("kind", [OpportunityWon, OpportunityLost])
def test_a_deal_that_is_closed_needs_no_task_any_more(deal: Deal, run_jobs: RunJobs, kind: Any) -> None:
    is_told_of(deal, run_jobs)
    deal.update(set__status="won" if kind is OpportunityWon else "lost")
    ids = {"workspace_id": str(deal.workspace_id), "deal_id": str(deal.id)}
    happens(kind(**ids, closed_at=SINCE + timedelta(days=31)), run_jobs)
    assert (Task.objects.get().status, deal.reload().tags, done()) == ("completed", [], ["the system"])


def test_a_task_that_somebody_has_done_stays_as_it_is(deal: Deal, run_jobs: RunJobs) -> None:
    is_told_of(deal, run_jobs)
    Task.objects.update(set__status="completed")
    reactions.touch(deal.id, SINCE + timedelta(days=31))
    assert (Task.objects.get().closed_by, done()) == (None, [])


def test_of_a_deal_that_was_touched_before_anybody_was_told_nobody_is(deal: Deal, run_jobs: RunJobs) -> None:
    deal.update(set__last_activity_at=SINCE)
    alert(SINCE + timedelta(days=8))
    reactions.touch(deal.id, SINCE + timedelta(days=8, hours=1))
    run_jobs()
    assert notices(deal.assigned_to) == []
    assert Task.objects.count() == 0


def test_a_deal_that_is_touched_while_its_task_is_made_has_a_completed_one(
    deal: Deal, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal.update(set__last_activity_at=SINCE)
    original = Task.create_once

    def slow(**fields: Any) -> Task:
        reactions.touch(deal.id, SINCE + timedelta(days=9))
        return original(**fields)

    monkeypatch.setattr(Task, "create_once", slow)
    alert(SINCE + timedelta(days=8))
    run_jobs()
    assert (Task.objects.get().status, done()) == ("completed", ["the system"])


def test_killed_at_any_command_the_task_is_completed_once_by_the_next_tick(
    deal: Deal, run_jobs: RunJobs
) -> None:
    at = SINCE + timedelta(days=31)

    def prepare() -> None:
        EventRecord.objects.delete()
        Task.objects.delete()
        redis().flushall()
        deal.update(unset__silence=True, set__tags=[])
        is_told_of(deal, run_jobs)

    def check() -> None:
        alert(at + timedelta(hours=1))
        assert (Task.objects.get().status, done()) == ("completed", ["the system"])
        assert (deal.reload().tags, deal.silence.ended) == ([], [])

    def work() -> None:
        reactions.touch(deal.id, at)

    assert killing.everywhere(prepare, work, check) > 10
