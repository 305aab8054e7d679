"""Automations: the check on each event, and the plan of those whose conditions hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import structlog
from bson import ObjectId

import config
from consumers import automations, dispatch, registry
from models import store
from models.contact import Contact
from models.event import EventRecord
from models.task import Task
from models.trigger import Trigger
from models.trigger_run import TriggerRun
from models.workspace import Member, Workspace
from publishers import events
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactCreated
from schemas.email import EmailOpened
from schemas.event import catalogue
from tests.automations import TASK, automation, created, grace
from tests.killing import Killed, dying

pytestmark = pytest.mark.usefixtures("stores")

NOTICE = {"type": "notify", "message": "{{contact.firstName}} of {{contact.company}} is here"}


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(name="Acme").save()


@pytest.fixture
def event_id(workspace: Workspace) -> str:
    return created(grace(workspace))


def steps() -> list[str]:
    """The ids of the jobs that do the actions."""
    return sorted(key.decode().removeprefix("rq:job:") for key in redis().keys("rq:job:automation-*"))


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        (("contact.leadScore", "greater_than", 40), True),
        (("contact.leadScore", "greater_than", 45), False),
        (("contact.tags", "contains", "vip"), True),
        (("contact.company", "not_equals", "Navy"), False),
        (("event.source", "in", ["form", "api"]), True),
        (("event.type", "equals", "contact.created"), True),
        (("contact.nothing", "equals", "x"), False),
    ],
)
def test_conditions_see_the_contact_and_the_event(
    workspace: Workspace, event_id: str, condition: tuple[str, str, Any], matches: bool
) -> None:
    automation(workspace, condition)

    assert automations.run(event_id) == int(matches)
    assert len(steps()) == int(matches)


def test_all_conditions_must_hold(workspace: Workspace, event_id: str) -> None:
    automation(workspace, ("event.source", "equals", "form"), ("contact.leadScore", "greater_than", 90))

    assert automations.run(event_id) == 0
    assert TriggerRun.objects.count() == 0


def test_other_workspaces_other_events_and_inactive_automations_stay_out(
    workspace: Workspace, event_id: str
) -> None:
    automation(Workspace(name="Other").save())
    automation(workspace, event_type="contact.updated")
    automation(workspace, is_active=False)

    assert automations.run(event_id) == 0


def test_each_action_is_a_job_of_its_own(workspace: Workspace, event_id: str) -> None:
    trigger = automation(workspace, actions=[TASK, NOTICE])
    for _ in range(2):
        assert automations.run(event_id) == 1

    assert steps() == [f"automation-{trigger.id}-{event_id}-{place}" for place in (0, 1)]
    job = Job.fetch(steps()[0], connection=redis())
    assert (job.origin, job.meta["event_id"]) == ("crm-workflow-bridge", event_id)
    assert job.meta["correlation_id"] == EventRecord.objects.get(id=event_id).correlation_id
    assert "Call" not in job.description


def test_what_an_event_runs_is_decided_once(workspace: Workspace, event_id: str) -> None:
    automation(workspace, ("contact.company", "equals", "Army"))
    automation(workspace, ("contact.company", "equals", "Navy"))
    assert automations.run(event_id) == 1

    Contact.objects.update(set__company="Army")
    automation(workspace)
    assert automations.run(event_id) == 1
    assert TriggerRun.objects.count() == 1


def test_an_automation_that_makes_no_sense_holds_up_no_other_and_says_so(
    workspace: Workspace, event_id: str
) -> None:
    senseless = automation(workspace, ("contact.leadScore", "greater_than", "many"))
    automation(workspace)

    assert automations.run(event_id) == 1
    run = TriggerRun.objects.get(trigger_id=senseless.id)
    assert run.status == "skipped"
    assert "contact.leadScore greater_than 'many' makes no sense" in run.reason


def test_an_event_enqueues_its_automations_once_and_only_if_there_are_any(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    created(grace(workspace))
    run_jobs()
    assert redis().keys("rq:job:automations-*") == []

    automation(workspace)
    second = created(Contact.upsert(workspace.id, "second@navy.test", {})[0])
    run_jobs()
    assert [key.decode() for key in redis().keys("rq:job:automations-*")] == [f"rq:job:automations-{second}"]
    assert Task.objects.count() == 1


def test_automations_of_a_new_contact_see_its_score_and_owner(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    workspace.members = [Member(name="Ada", email="ada@acme.test")]
    workspace.save()
    automation(workspace, ("contact.leadScore", "equals", 35))
    event_id = created(Contact.upsert(workspace.id, "new@navy.test", {"source": "form"})[0])
    run_jobs()

    assert Task.objects.get().assigned_to == workspace.members[0].user_id
    assert EventRecord.objects.get(id=event_id).status == "done"


def test_the_contact_of_another_workspace_is_not_seen(workspace: Workspace) -> None:
    stranger = grace(Workspace(name="Other").save())
    automation(workspace, ("contact.email", "equals", "grace@navy.test"))
    event = ContactCreated(workspace_id=str(workspace.id), contact_id=str(stranger.id), source="api")

    assert automations.run(events.publish(event)) == 0


@pytest.mark.parametrize(("depth", "runs"), [(0, 1), (7, 1), (8, 0), (9, 0)])
def test_a_chain_of_eight_automations_ends_and_says_so(
    workspace: Workspace, event_id: str, depth: int, runs: int
) -> None:
    automation(workspace)
    EventRecord.objects.update(set__depth=depth)

    assert automations.run(event_id) == runs
    run = TriggerRun.objects.get()
    assert run.depth == depth
    assert (run.reason is None) == bool(runs)
    if not runs:
        assert f"chain of {depth} automations" in run.reason


def test_two_automations_that_set_each_other_off_end(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    for company, other in (("Navy", "Army"), ("Army", "Navy")):
        automation(
            workspace,
            ("contact.company", "equals", company),
            event_type="contact.updated",
            actions=[{"type": "update_contact", "fields": {"company": other}}],
        )
    automation(workspace, actions=[{"type": "update_contact", "addTags": ["new"]}])
    created(grace(workspace))
    run_jobs()

    runs = TriggerRun.objects.order_by("depth")
    assert [run.depth for run in runs] == list(range(9))
    assert [run.reason is None for run in runs] == [True] * 8 + [False]
    assert len({run.correlation_id for run in runs}) == 1
    updates = EventRecord.objects(type="contact.updated").order_by("depth")
    assert [event.depth for event in updates] == list(range(1, 9))


def test_an_automation_may_wait_for_the_end_of_others_but_not_for_its_own(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    first = automation(workspace)
    after = automation(
        workspace, event_type="workflow.completed", actions=[{"type": "notify", "message": "x"}]
    )
    created(grace(workspace))
    run_jobs()

    runs = TriggerRun.objects.order_by("depth")
    assert [(run.trigger_id, run.depth) for run in runs] == [(first.id, 0), (after.id, 1)]


def test_an_event_that_another_one_caused_is_as_deep_as_that(workspace: Workspace, event_id: str) -> None:
    EventRecord.objects.update(set__depth=3)
    contact = Contact.objects.get()
    event = ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="api")
    caused = [events.publish(event, causation_id=event_id, key="by name")]
    with structlog.contextvars.bound_contextvars(event_id=event_id):
        caused.append(events.publish(event, key="by its reaction, on this thread"))

    assert [EventRecord.objects.get(id=one).depth for one in caused] == [3, 3]


@pytest.mark.parametrize(("own", "limit", "runs"), [(2, 600, 2), (None, 3, 3), (9, 3, 3)])
def test_runs_above_the_limit_of_a_minute_are_on_record_and_do_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, own: int | None, limit: int, runs: int
) -> None:
    monkeypatch.setenv("AUTOMATION_RUNS_PER_MINUTE", str(limit))
    config.settings.cache_clear()
    trigger = automation(workspace, max_runs_per_minute=own)
    at = automations.store.now()
    monkeypatch.setattr(automations.store, "now", lambda: at)  # no minute ends in between
    for number in range(5):
        automations.run(created(Contact.upsert(workspace.id, f"{number}@navy.test", {})[0]))
    config.settings.cache_clear()

    found = TriggerRun.objects(trigger_id=trigger.id)
    assert found.count() == 5
    assert sum(run.reason is None for run in found) == runs
    assert {run.reason for run in found if run.reason} == {
        f"it ran {runs} times in this minute, which is its limit"
    }


def test_an_event_that_is_planned_again_counts_once_against_the_limit(
    workspace: Workspace, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = automation(workspace, max_runs_per_minute=1)
    at = automations.store.now()
    monkeypatch.setattr(automations.store, "now", lambda: at)  # no minute ends in between
    for is_after in (False, True):
        with monkeypatch.context() as patch:
            dying(patch, TriggerRun, "store_new", is_after=is_after)
            with pytest.raises(Killed):
                automations.run(event_id)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(automations.run, [event_id] * 6))

    assert [run.reason for run in TriggerRun.objects] == [None]
    assert trigger.reload().runs_in_minute == 1


def test_the_next_minute_counts_anew(workspace: Workspace) -> None:
    trigger: Trigger = automation(workspace, max_runs_per_minute=1)
    at = automations.store.now().replace(second=30)
    minute = timedelta(minutes=1)

    assert [trigger.claim_run(ObjectId(), at + minute * n, 600) for n in (0, 0, 1, 1, 2)] == [
        True, False, True, False, True,
    ]  # fmt: skip


def test_actions_whose_jobs_redis_lost_are_enqueued_again(workspace: Workspace, event_id: str) -> None:
    automation(workspace, actions=[{"type": "notify", "message": "x"}] * 2)
    automations.run(event_id)
    (run,) = TriggerRun.objects
    first, second = (f"automation-{run.id}-{place}" for place in (0, 1))
    Job.fetch(second, connection=redis()).delete()
    assert automations.recover() == 0  # it began just now

    TriggerRun.objects.update(set__created_at=store.now() - automations.LOST_AGE * 2)
    assert automations.recover() == 1
    assert Job.exists(first, connection=redis())
    assert Job.exists(second, connection=redis())
    assert automations.recover() == 0


@pytest.mark.parametrize(
    ("status", "ended", "why", "told"),
    [
        ("canceled", "skipped", "its job was cancelled", 0),
        ("failed", "failed", "its job is a dead letter", 1),
    ],
)
def test_an_action_whose_job_a_person_cancelled_or_nobody_noted_as_dead_ends_and_never_comes_back(
    workspace: Workspace, event_id: str, status: str, ended: str, why: str, told: int
) -> None:
    automation(workspace)
    automations.run(event_id)
    (run,) = TriggerRun.objects
    redis().hset(Job.key_for(f"automation-{run.id}-0"), "status", status)
    TriggerRun.objects.update(set__created_at=store.now() - automations.LOST_AGE * 2)
    assert automations.recover() == 0

    redis().flushall()  # as when its time is over
    assert automations.recover() == 0
    run.reload()
    assert (run.status, run.steps[0].status, run.steps[0].note or run.steps[0].error) == (ended, ended, why)
    assert EventRecord.objects(type="workflow.completed").count() == told


def test_a_worker_whose_clock_is_late_does_not_begin_a_minute_anew(workspace: Workspace) -> None:
    trigger: Trigger = automation(workspace, max_runs_per_minute=2)
    at = automations.store.now().replace(second=30)
    minute = timedelta(minutes=1)

    assert [trigger.claim_run(ObjectId(), at + minute * n, 600) for n in (1, 0, 1, 0, 2)] == [
        True, True, False, False, True,
    ]  # fmt: skip


def test_the_cost_does_not_grow_with_the_automations_that_do_not_match(
    workspace: Workspace, event_id: str, count_store_commands: Callable[[], Any]
) -> None:
    def cost() -> int:
        with count_store_commands() as names:
            automations.run(event_id)
        EventRecord.objects.update(set__reactions={})
        return len(names)

    automation(workspace, ("contact.company", "equals", "Army"))
    one = cost()
    for _ in range(20):
        automation(workspace, ("contact.company", "equals", "Army"))
    assert cost() == one == 5


def test_every_event_type_reaches_the_automations_after_all_its_other_reactions() -> None:
    dispatch.load_reactions()
    last = {kind: list(registry.reactions(kind))[-1] for kind in catalogue()}

    assert last == dict.fromkeys(catalogue(), "check_automations")


@pytest.mark.parametrize(("is_machine", "runs"), [(False, 1), (True, 0)])
def test_a_mail_scanner_sets_off_nothing(
    run_jobs: Callable[[], int], workspace: Workspace, is_machine: bool, runs: int
) -> None:
    automation(workspace, event_type="email.opened")
    events.publish(
        EmailOpened(
            workspace_id=str(workspace.id),
            hit_id=str(ObjectId()),
            attempt_id=str(ObjectId()),
            contact_id=str(grace(workspace).id),
            opened_at=automations.store.now(),
            is_machine=is_machine,
        )
    )
    run_jobs()
    assert TriggerRun.objects.count() == runs


def test_the_key_of_a_run_fits_a_job(workspace: Workspace) -> None:
    assert TriggerRun.id_of(ObjectId(), ObjectId()).replace("-", "").isalnum()
