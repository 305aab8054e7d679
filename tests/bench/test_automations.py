"""The benchmark of the automations measures what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import config
from bench import (
    automations_decay,
    automations_enrichment,
    automations_lifecycle,
    automations_recycling,
    automations_stale,
)
from bench.automations_goals import Part, by_what_changed
from bench.goals import Goal
from jobs import contact_sync, intent_score_decay, lead_recycling, stale_deal_alert
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.lead_recycling import LeadRecycling
from queues.connection import redis
from queues.job import Job

PART = {"contacts": 100, "seconds": 3.0, "bare_seconds": 1.0, "commands": 13, "ranges": 1, "peak_mb": 70.0}


def missed(goals: list[Goal]) -> list[str]:
    return [goal.name.split(": ")[1] for goal in goals if not goal.ok]


def test_goals_are_reached_at_their_limits() -> None:
    assert missed(automations_decay.goals([PART, PART | {"peak_mb": 77.0}])) == []
    assert missed(by_what_changed("a job", [PART, PART | {"peak_mb": 77.0, "seconds": 6.0}])) == []


@pytest.mark.parametrize(
    ("worse", "named"),
    [
        ({"seconds": 3.1}, "times the bare statement"),
        ({"commands": 14}, "store commands per range"),
        ({"peak_mb": 78.0}, "memory"),
    ],
)
def test_what_grows_with_the_crm_misses_its_goal(worse: Part, named: str) -> None:
    assert missed(automations_decay.goals([PART, PART | worse])) == [named]


@pytest.mark.parametrize(
    ("worse", "named"),
    [({"seconds": 6.1}, "time"), ({"commands": 14}, "more store commands"), ({"peak_mb": 78.0}, "memory")],
)
def test_work_beyond_what_changed_misses_its_goal(worse: Part, named: str) -> None:
    assert missed(by_what_changed("a job", [PART, PART | worse])) == [named]


@pytest.mark.usefixtures("stores")
def test_the_seeded_contacts_all_decay_and_a_job_that_does_less_is_found_out() -> None:
    automations_decay.seed(60)
    with pytest.raises(RuntimeError, match="0 of 60"):
        automations_decay.check(60)
    automations_decay.run()
    for job_id in redis().lrange("rq:queue:analytics", 0, -1):
        intent_score_decay.decay(**Job.fetch(job_id.decode(), redis()).kwargs)
    automations_decay.check(60)
    automations_decay.bare()
    assert {contact.intent.version for contact in Contact.objects} == {3}


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("measured", "work"),
    [
        (automations_stale, stale_deal_alert.alert),
        (automations_recycling, lead_recycling.recycle),
        (automations_enrichment, contact_sync.sync),
    ],
    ids=["stale deals", "lost leads", "enrichment"],
)
def test_a_hundred_are_due_whatever_the_size_and_a_job_that_does_less_is_found_out(
    measured: Any, work: Callable[..., Any], settings_restored: None
) -> None:
    for size in (300, 500):
        _empty()
        measured.seed(size)
        with pytest.raises(RuntimeError, match=r"0 of (100|50)"):
            measured.check(size)
        measured.run()
        for job_id in redis().lrange(f"rq:queue:{measured.QUEUE}", 0, -1):
            work(**Job.fetch(job_id.decode(), redis()).kwargs)
        measured.check(size)


@pytest.fixture
def settings_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("APOLLO_URL", "APOLLO_API_KEY"):
        monkeypatch.setenv(name, "")
    yield
    monkeypatch.undo()
    config.settings.cache_clear()


def _empty() -> None:
    redis().flushall()
    for kind in (Contact, Deal, EventRecord, LeadRecycling):
        kind.objects.delete()


@pytest.mark.usefixtures("stores")
def test_of_the_seeded_contacts_those_that_changed_move_and_a_job_that_does_less_is_found_out() -> None:
    automations_lifecycle.seed(300)
    with pytest.raises(RuntimeError, match="100 contacts are marked"):
        automations_lifecycle.check(300)
    automations_lifecycle.run()
    for job_id in redis().lrange("rq:queue:analytics", 0, -1):
        job = Job.fetch(job_id.decode(), redis())
        job.func(**job.kwargs)
    automations_lifecycle.check(300)
