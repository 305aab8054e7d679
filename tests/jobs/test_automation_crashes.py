"""Whatever dies, and however often anything is delivered: each action of an automation takes effect once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers import automations, dispatch
from jobs import automation_step
from models import store
from models.contact import Contact
from models.enrolment import Enrolment
from models.event import EventRecord
from models.notification import Notification
from models.sequence import Sequence
from models.task import Task
from models.trigger import Trigger
from models.trigger_run import TriggerRun
from models.workspace import Workspace
from publishers import events
from queues.connection import redis
from services import webhook
from tests.automations import automation, created
from tests.killing import Killed, dying
from tests.sink import Sink, allowed

COMPANY = "Navy"


# What may be the last or the first thing that is not done any more.
STEPS: list[tuple[Any, str]] = [
    (Trigger, "any_for"),
    (Trigger, "claim_run"),
    (automations, "enqueue_many"),
    (TriggerRun, "store_new"),
    (TriggerRun, "of_event"),
    (EventRecord, "mark_reaction"),
    (EventRecord, "mark_done"),
    (Notification, "notify"),
    (Task, "create_once"),
    (Enrolment, "enrol_once"),
    (TriggerRun, "note_change"),
    (Contact, "change_once"),
    (events, "publish"),
    (webhook, "send"),
    (TriggerRun, "end_step"),
]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with pytest.MonkeyPatch.context() as patch, allowed(patch) as sink:
        yield sink


def automate(workspace: Workspace, sink: Sink) -> None:
    """Two automations with every action that leaves a trace here."""
    sequence = Sequence(workspace_id=workspace.id, name="Onboarding").save()
    actions = [
        {"type": "notify", "message": "{{contact.email}} is here"},
        {"type": "create_task", "title": "Call {{contact.email}}"},
        {"type": "update_contact", "fields": {"company": COMPANY}, "addTags": ["hot"]},
        {"type": "enroll_in_sequence", "sequenceId": str(sequence.id)},
        {"type": "webhook", "url": sink.url},
    ]
    automation(workspace, actions=actions)
    automation(workspace, ("event.source", "equals", "form"), actions=actions[:2])


def deliver(event_id: str) -> None:
    """The event's job, as often as one likes."""
    record = EventRecord.objects.get(id=event_id)
    dispatch.handle(event_id, record.envelope())


def drain() -> None:
    """Whatever the queues hold, once each; a job that dies is not put back here."""
    for run in TriggerRun.objects:
        for place in range(len(run.steps)):
            automation_step.run(run.id, place)


def effects(event_id: str, sink: Sink) -> dict[str, Any]:
    return {
        "notices": Notification.objects(kind="automation").count(),
        "tasks": Task.objects.count(),
        "told of tasks": EventRecord.objects(type="task.created").count(),
        "enrolments": Enrolment.objects.count(),
        "changes": EventRecord.objects(type="contact.updated").count(),
        "over": EventRecord.objects(type="workflow.completed").count(),
        "deliveries": len({request.headers["X-Clianta-Delivery"] for request in sink.requests}),
        "events": {json.loads(request.body)["event"]["id"] for request in sink.requests},
        "runs": sorted(run.status for run in TriggerRun.objects),
        "contact": [(c.company, list(c.tags)) for c in Contact.objects],
    }


ONCE = {
    "notices": 2,
    "tasks": 2,
    "told of tasks": 2,
    "enrolments": 1,
    "changes": 1,
    "over": 2,
    "deliveries": 1,
    "runs": ["done", "done"],
    "contact": [(COMPANY, ["hot"])],
}


def start(sink: Sink) -> str:
    for kind in store.documents():
        kind._get_collection().delete_many({})
    redis().flushall()
    sink.requests.clear()
    workspace = Workspace(name="Acme").save()
    automate(workspace, sink)
    return created(Contact.upsert(workspace.id, "grace@navy.test", {})[0])


ACT = st.sampled_from(["deliver", "plan", "step", "all"])
DEATH = st.none() | st.tuples(st.sampled_from(STEPS), st.integers(1, 4), st.booleans())


@pytest.mark.usefixtures("clean_store")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.tuples(ACT, st.integers(0, 6), DEATH), max_size=8))
def test_whatever_is_delivered_again_and_dies_each_action_takes_effect_once(
    sink: Sink, story: list[tuple[str, int, Any]]
) -> None:
    event_id = start(sink)
    for act, place, death in story:
        with pytest.MonkeyPatch.context() as patch:
            if death:
                (owner, name), nth, is_after = death
                dying(patch, owner, name, nth, is_after=is_after)
            try:
                play(act, place, event_id)
            except Killed:
                continue
    play("all", 0, event_id)
    once = effects(event_id, sink)

    assert once == {**ONCE, "events": {event_id}}
    for act in ("deliver", "plan", "all"):
        play(act, 0, event_id)
    assert effects(event_id, sink) == once


def play(act: str, place: int, event_id: str) -> None:
    if act == "deliver":
        deliver(event_id)
    elif act == "plan":
        automations.run(event_id)
    elif act == "step":
        for run in TriggerRun.objects:
            if place < len(run.steps):
                automation_step.run(run.id, place)
    else:
        deliver(event_id)
        automations.run(event_id)
        drain()


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_death_at_any_step_is_made_good_by_the_next_delivery(
    clean_store: None, sink: Sink, owner: Any, name: str, is_after: bool
) -> None:
    event_id = start(sink)
    with pytest.MonkeyPatch.context() as patch:
        dying(patch, owner, name, 1, is_after=is_after)
        with pytest.raises(Killed):
            play("all", 0, event_id)
    play("all", 0, event_id)

    assert effects(event_id, sink) == {**ONCE, "events": {event_id}}


def test_what_a_person_edits_between_a_death_and_the_retry_is_not_overwritten(
    clean_store: None, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = start(sink)
    automations.run(event_id)
    run = next(run for run in TriggerRun.objects if len(run.steps) == 5)
    with monkeypatch.context() as patch:
        dying(patch, events, "publish", 1, is_after=False)
        with pytest.raises(Killed):
            automation_step.run(run.id, 2)
    assert Contact.objects.get().company == COMPANY
    Contact.objects.update(set__company="Army")

    assert automation_step.run(run.id, 2) == "done"
    assert Contact.objects.get().company == "Army"
    assert EventRecord.objects(type="contact.updated").count() == 1


def test_workers_that_do_the_same_at_the_same_time_do_it_once(clean_store: None, sink: Sink) -> None:
    event_id = start(sink)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(automations.run, [event_id] * 6))
        for run in TriggerRun.objects:
            for place in range(len(run.steps)):
                list(pool.map(automation_step.run, [run.id] * 6, [place] * 6))

    assert effects(event_id, sink) == {**ONCE, "events": {event_id}}


@pytest.mark.usefixtures("stores")
def test_jobs_that_were_lost_with_redis_are_put_back_by_a_redelivery(
    sink: Sink, run_jobs: Callable[[], int]
) -> None:
    event_id = start(sink)
    automations.run(event_id)
    redis().flushall()
    automations.run(event_id)
    run_jobs()

    assert {run.status for run in TriggerRun.objects} == {"done"}
    assert Task.objects.count() == 2
    assert ObjectId(event_id) == TriggerRun.objects.first().event_id
