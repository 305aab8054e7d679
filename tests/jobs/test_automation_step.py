"""The actions of automations, each as a job: what they do, what stands in the history, and how they end."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from bson import ObjectId
from rq.exceptions import AbandonedJobError

import config
from consumers import automations
from jobs import actions, automation_step
from jobs.actions import create_task, update_contact
from models.contact import Contact, ContactFull
from models.deal import Deal
from models.enrolment import Enrolment
from models.event import EventRecord
from models.notification import Notification
from models.sequence import Sequence
from models.task import Task
from models.trigger import Trigger
from models.trigger_run import TriggerRun
from models.workspace import Member, Workspace
from publishers import events
from queues import dead_letters
from queues.connection import redis
from queues.enqueue import NewJob, enqueue
from queues.job import Job
from schemas.opportunity import OpportunityWon
from services import webhook
from services.automation.actions import KINDS
from services.merge_fields import MissingField
from tests.automations import OWNER, TASK, automation, created, grace
from tests.sink import SECRET, Sink, allowed

RunJobs = Callable[[], int]
ADA = ObjectId()
MEMBERS = {OWNER: "bob", ADA: "ada"}


@pytest.fixture
def workspace(stores: None) -> Workspace:
    members = [Member(user_id=user, name=name, email=f"{name}@acme.test") for user, name in MEMBERS.items()]
    return Workspace(name="Acme", members=members).save()


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A receiver of webhooks on loopback, which is allowed here."""
    with allowed(monkeypatch) as sink:
        yield sink


def happens(workspace: Workspace, *actions: dict[str, Any], **fields: Any) -> str:
    """An automation with these actions, and an event that is planned; returns the run's id."""
    trigger = automation(workspace, actions=actions, **fields)
    event_id = created(grace(workspace))
    automations.run(event_id)
    return TriggerRun.id_of(trigger.id, event_id)


def step(run_id: str, place: int = 0) -> Any:
    return TriggerRun.objects.get(id=run_id).steps[place]


def test_every_action_that_can_be_saved_can_be_done() -> None:
    assert actions.DO.keys() == KINDS.keys()


def test_a_matching_automation_does_each_action_once(run_jobs: RunJobs, workspace: Workspace) -> None:
    notice = {"type": "notify", "message": "{{contact.firstName}} of {{contact.company}} is here"}
    run_id = happens(workspace, TASK, notice)
    run_jobs()
    for place in (0, 1, 0, 1):
        assert automation_step.run(run_id, place) == "done"

    task, notice_ = Task.objects.get(), Notification.objects.get(kind="automation")
    assert (task.title, task.assigned_to, task.contact_id) == ("Call Grace", OWNER, Contact.objects.get().id)
    assert (notice_.message, notice_.user_id) == ("Grace of Navy is here", OWNER)
    run = TriggerRun.objects.get()
    told = EventRecord.objects.get(type="task.created")
    assert (told.payload["taskId"], told.depth, told.causation_id) == (str(task.id), 1, str(run.event_id))
    assert (run.status, [s.tries for s in run.steps]) == ("done", [1, 1])
    assert all(s.seconds > 0 and s.ended_at and s.error is None for s in run.steps)
    assert [(s.kind, dict(s.action)) for s in run.steps] == [("create_task", {}), ("notify", {})]


def test_a_member_that_is_named_comes_before_the_owner(run_jobs: RunJobs, workspace: Workspace) -> None:
    happens(
        workspace,
        {"type": "notify", "message": "x", "userId": str(ADA)},
        {"type": "create_task", "title": "y", "assignedTo": str(ADA)},
    )
    run_jobs()
    notice = Notification.objects.get(kind="automation")
    assert (notice.user_id, Task.objects.get().assigned_to) == (ADA, ADA)


@pytest.mark.parametrize(
    "action",
    [
        {"type": "notify", "message": "x", "userId": str(ADA)},
        {"type": "create_task", "title": "y", "assignedTo": str(ADA)},
        {"type": "update_contact", "fields": {"assignedTo": str(ADA)}},
    ],
)
def test_who_has_left_is_given_nothing_until_let_in_again(
    run_jobs: RunJobs, workspace: Workspace, action: dict[str, Any]
) -> None:
    Workspace.objects(members__user_id=ADA).update(set__members__S__is_active=False)
    run_id = happens(workspace, action)
    run_jobs()
    assert (step(run_id).status, step(run_id).tries) == ("failed", 1)
    assert f"NoMember: no active member {ADA} in this workspace" in step(run_id).error
    assert Notification.objects.count() == Task.objects.count() == 0
    assert Contact.objects.get().assigned_to == OWNER

    Workspace.objects(members__user_id=ADA).update(set__members__S__is_active=True)
    dead_letters.requeue([f"automation-{run_id}-0"])
    run_jobs()
    assert step(run_id).status == "done"


def test_an_event_about_a_deal_speaks_of_it_and_of_its_owner(run_jobs: RunJobs, workspace: Workspace) -> None:
    deal = Deal(workspace_id=workspace.id, title="Compilers", stage="won", assigned_to=OWNER).save()
    automation(
        workspace,
        ("deal.stage", "equals", "won"),
        event_type="opportunity.won",
        actions=[{"type": "notify", "message": "{{deal.title}} for {{event.amount}}"}],
    )
    event_id = events.publish(
        OpportunityWon(
            workspace_id=str(workspace.id), deal_id=str(deal.id), amount=5, closed_at=automations.store.now()
        )
    )
    automations.run(event_id)
    run_jobs()
    notice = Notification.objects.get()
    assert (notice.message, notice.user_id) == ("Compilers for 5.0", OWNER)


def test_an_action_that_fails_is_retried_alone_and_the_others_are_not_repeated(
    run_jobs: RunJobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real = create_task.Task.create_once

    def flaky(**fields: Any) -> bool:
        done.append(fields["title"])
        if fields["title"] == "Bad" and done.count("Bad") < 3:
            raise ConnectionError("the line is busy")
        return real(**fields)

    monkeypatch.setattr(create_task.Task, "create_once", flaky)
    titles = ("First", "Bad", "Last")
    run_id = happens(workspace, *({"type": "create_task", "title": title} for title in titles))
    run_jobs()
    assert [s.status for s in TriggerRun.objects.get().steps] == ["done", "retrying", "done"]
    assert step(run_id, 1).error == "ConnectionError: the line is busy"
    assert TriggerRun.objects.get().status == "running"

    for _ in range(2):
        with suppress(ConnectionError):
            automation_step.run(run_id, 1)
    assert sorted(done) == ["Bad", "Bad", "Bad", "First", "Last"]
    assert (step(run_id, 1).status, step(run_id, 1).tries, step(run_id, 1).error) == ("done", 3, None)
    assert sorted(Task.objects.scalar("title")) == sorted(titles)


def test_a_missing_variable_makes_a_dead_letter_that_works_once_it_is_filled(
    run_jobs: RunJobs, workspace: Workspace
) -> None:
    run_id = happens(workspace, {"type": "notify", "message": "{{contact.jobTitle}} is here"}, TASK)
    run_jobs()
    run = TriggerRun.objects.get()
    assert (run.status, [s.status for s in run.steps]) == ("failed", ["failed", "done"])
    assert run.steps[0].error.startswith("MissingField: contact.jobTitle is empty")
    assert Job.fetch(f"automation-{run_id}-0", connection=redis()).get_status() == "failed"
    with pytest.raises(MissingField):
        automation_step.run(run_id, 0)

    Contact.objects.update(set__job_title="Admiral")
    assert automation_step.run(run_id, 0) == "done"
    assert TriggerRun.objects.get().status == "done"
    assert Notification.objects.get(kind="automation").message == "Admiral is here"


@pytest.mark.parametrize("how", ["off", "deleted"])
def test_what_waits_when_an_automation_is_switched_off_is_not_done(
    run_jobs: RunJobs, workspace: Workspace, how: str
) -> None:
    run_id = happens(workspace, TASK)
    Trigger.objects.update(set__is_active=False) if how == "off" else Trigger.objects.delete()
    run_jobs()

    assert Task.objects.count() == 0
    assert (step(run_id).status, TriggerRun.objects.get().status) == ("skipped", "skipped")
    assert "switched off" in step(run_id).note


def test_a_run_that_has_begun_ends_as_it_was_planned(run_jobs: RunJobs, workspace: Workspace) -> None:
    happens(workspace, TASK)
    Trigger.objects.update(set__actions=[{"type": "create_task", "title": "Something else"}])
    run_jobs()

    assert Task.objects.get().title == "Call Grace"


def dead_letter(run_jobs: RunJobs, workspace: Workspace, *more: dict[str, Any]) -> str:
    """An action that failed for good, with others after it; returns the run's id."""
    run_id = happens(workspace, {"type": "create_task", "title": "{{contact.jobTitle}} calls"}, *more)
    run_jobs()
    assert [s.status for s in TriggerRun.objects.get().steps] == ["failed", *("done" for _ in more)]
    return run_id


def requeue(run_jobs: RunJobs, run_id: str) -> None:
    assert dead_letters.requeue([f"automation-{run_id}-0"]).done == 1
    run_jobs()


@pytest.mark.parametrize("how", ["off", "deleted"])
def test_a_dead_letter_of_an_automation_that_is_off_or_gone_does_nothing_when_requeued(
    run_jobs: RunJobs, workspace: Workspace, how: str
) -> None:
    run_id = dead_letter(run_jobs, workspace)
    Contact.objects.update(set__job_title="Admiral")
    Trigger.objects.update(set__is_active=False) if how == "off" else Trigger.objects.delete()
    requeue(run_jobs, run_id)

    assert Task.objects.count() == 0
    assert (step(run_id).status, TriggerRun.objects.get().status) == ("skipped", "skipped")
    assert "deleted or switched off" in step(run_id).note


def test_a_dead_letter_is_done_as_the_automation_was_put_right_meanwhile(
    run_jobs: RunJobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = dead_letter(run_jobs, workspace, {"type": "notify", "message": "x"})
    right = [
        {"type": "create_task", "title": "{{contact.firstName}} calls"},
        {"type": "notify", "message": "y"},
    ]
    Trigger.objects.update(set__actions=right)
    with monkeypatch.context() as broken:
        broken.setattr(create_task.Task, "create_once", Mock(side_effect=ConnectionError("busy")))
        requeue(run_jobs, run_id)
    assert step(run_id).status == "retrying"
    Trigger.objects.update(set__actions=[{"type": "create_task", "title": "Later"}])  # it has begun again
    assert automation_step.run(run_id, 0) == "done"

    assert Task.objects.get().title == "Grace calls"
    assert Notification.objects(kind="automation").count() == 1


def test_a_dead_letter_whose_action_is_as_it_was_is_done_wherever_it_stands_now(
    run_jobs: RunJobs, workspace: Workspace
) -> None:
    run_id = dead_letter(run_jobs, workspace)
    Contact.objects.update(set__job_title="Admiral")
    Trigger.objects.update(set__actions=[TASK, *Trigger.objects.get().actions])
    requeue(run_jobs, run_id)
    assert Task.objects.get().title == "Admiral calls"


@pytest.mark.parametrize("actions", [[TASK, TASK], [{"type": "notify", "message": "x"}]])
def test_a_dead_letter_whose_action_was_taken_out_of_the_automation_is_skipped(
    run_jobs: RunJobs, workspace: Workspace, actions: list[dict[str, Any]]
) -> None:
    run_id = dead_letter(run_jobs, workspace)
    Contact.objects.update(set__job_title="Admiral")
    Trigger.objects.update(set__actions=actions)
    requeue(run_jobs, run_id)
    assert Task.objects.count() == 0
    assert (step(run_id).status, step(run_id).note) == (
        "skipped",
        "the automation has no such action any more",
    )


def test_a_change_of_a_contact_that_has_begun_ends_as_it_was_planned(
    run_jobs: RunJobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = {"type": "update_contact", "fields": {"company": "Army"}}
    with monkeypatch.context() as broken:
        broken.setattr(update_contact, "_announce", Mock(side_effect=ContactFull))
        run_id = happens(workspace, action)
        run_jobs()
    assert (step(run_id).status, Contact.objects.get().company) == ("failed", "Army")
    Trigger.objects.update(set__actions=[{"type": "update_contact", "fields": {"jobTitle": "Admiral"}}])
    requeue(run_jobs, run_id)
    assert EventRecord.objects.get(type="contact.updated").payload["changed"] == ["company"]


def test_an_action_on_a_contact_that_was_deleted_is_skipped(run_jobs: RunJobs, workspace: Workspace) -> None:
    run_id = happens(workspace, {"type": "update_contact", "addTags": ["x"]}, TASK)
    Contact.objects.delete()
    run_jobs()

    assert (step(run_id, 0).status, step(run_id, 1).status) == ("skipped", "done")
    assert "no contact" in step(run_id, 0).note


def test_a_step_whose_run_is_kept_no_longer_is_a_dead_letter(workspace: Workspace) -> None:
    with pytest.raises(automation_step.RunGone, match="kept no longer") as gone:
        automation_step.run(f"{ObjectId()}-{ObjectId()}", 0)
    assert gone.value.permanent


def test_a_step_whose_worker_died_twice_failed(workspace: Workspace) -> None:
    run_id = happens(workspace, TASK)
    job = Job.fetch(f"automation-{run_id}-0", connection=redis())
    automation_step.mark_abandoned(job, ValueError)
    assert step(run_id).status == "waiting"
    automation_step.mark_abandoned(job, AbandonedJobError)

    assert (step(run_id).status, step(run_id).error) == ("failed", "its worker died twice while it ran")
    assert EventRecord.objects.get(type="workflow.completed").payload["outcome"] == "failed"


def test_other_jobs_that_are_abandoned_touch_no_run(workspace: Workspace) -> None:
    enqueue(NewJob("analytics", "tests.failing.tick", "another", {"tick": "x"}))
    automation_step.mark_abandoned(Job.fetch("another", connection=redis()), AbandonedJobError)


def test_a_contact_is_changed_and_that_is_told_once(run_jobs: RunJobs, workspace: Workspace) -> None:
    run_id = happens(
        workspace,
        {
            "type": "update_contact",
            "fields": {
                "company": "{{contact.company}} of {{contact.firstName}}",
                "status": "customer",
                "assignedTo": str(OWNER),
                "customFields": {"plan": "team", "seats": 5},
            },
            "addTags": ["hot", "vip"],
            "removeTags": ["vip"],
        },
    )
    run_jobs()
    automation_step.run(run_id, 0)

    contact = Contact.objects.get()
    assert (contact.company, contact.status, contact.tags) == ("Navy of Grace", "customer", ["hot"])
    assert contact.custom_fields == {"plan": "team", "seats": 5}
    event = EventRecord.objects.get(type="contact.updated")
    assert event.payload["changed"] == ["company", "status", "customFields", "tags"]
    origin = TriggerRun.objects.get()
    assert (event.depth, event.causation_id) == (1, str(origin.event_id))
    assert event.correlation_id == origin.correlation_id


def test_a_new_owner_and_a_new_stage_are_told_too(run_jobs: RunJobs, workspace: Workspace) -> None:
    happens(
        workspace,
        {"type": "update_contact", "fields": {"assignedTo": str(ADA), "lifecycleStage": "mql"}},
    )
    run_jobs()
    contact = Contact.objects.get()
    assert (contact.assigned_to, contact.lifecycle_stage) == (ADA, "mql")
    owner = EventRecord.objects.get(type="contact.owner_assigned")
    stage = EventRecord.objects.get(type="contact.lifecycle_changed")
    assert (owner.payload["ownerId"], owner.payload["method"]) == (str(ADA), "automation")
    assert (stage.payload["stage"], stage.depth, owner.depth) == ("mql", 1, 1)


def test_a_contact_that_is_like_that_already_is_left_alone(run_jobs: RunJobs, workspace: Workspace) -> None:
    before = grace(workspace).updated_at
    run_id = happens(
        workspace,
        {"type": "update_contact", "fields": {"company": "Navy"}, "addTags": ["vip"], "removeTags": ["x"]},
    )
    run_jobs()
    assert Contact.objects.get().updated_at == before
    assert EventRecord.objects(type="contact.updated").count() == 0
    assert step(run_id).note == "the contact is like that already"


def test_what_a_variable_makes_too_long_for_a_field_is_refused_by_its_name(
    run_jobs: RunJobs, workspace: Workspace
) -> None:
    grace(workspace, custom_fields={"bio": "x" * 300})
    name = {"type": "update_contact", "fields": {"firstName": "{{contact.customFields.bio}}"}}
    run_id = happens(workspace, name)
    run_jobs()

    assert step(run_id).status == "failed"
    assert "fields.firstName: String should have at most 256 characters" in step(run_id).error
    assert Contact.objects.get().first_name == "Grace"


def test_an_empty_fallback_leaves_a_field_as_it_is(run_jobs: RunJobs, workspace: Workspace) -> None:
    fields = {"company": "{{contact.customFields.company|}}", "jobTitle": "Admiral"}
    run_id = happens(workspace, {"type": "update_contact", "fields": fields})
    run_jobs()

    contact = Contact.objects.get()
    assert (contact.company, contact.job_title) == ("Navy", "Admiral")
    assert step(run_id).note == "changed jobTitle"


def test_a_contact_without_room_for_more_fails_for_good(run_jobs: RunJobs, workspace: Workspace) -> None:
    run_id = happens(workspace, {"type": "update_contact", "addTags": ["one more"]})
    Contact.objects.update(set__tags=[str(number) for number in range(500)])
    run_jobs()

    assert step(run_id).error.startswith("ContactFull")
    assert len(Contact.objects.get().tags) == 500
    assert EventRecord.objects(type="contact.updated").count() == 0


def test_a_contact_is_in_a_sequence_once(run_jobs: RunJobs, workspace: Workspace) -> None:
    sequence = Sequence(workspace_id=workspace.id, name="Onboarding", version=3).save()
    enrol = {"type": "enroll_in_sequence", "sequenceId": str(sequence.id)}
    run_id = happens(workspace, enrol, enrol)
    run_jobs()

    enrolment = Enrolment.objects.get()
    assert (enrolment.version, enrolment.status) == (3, "active")
    assert enrolment.contact_id == Contact.objects.get().id
    assert {step(run_id, place).note for place in (0, 1)} == {
        "enrolled in Onboarding",
        "was in Onboarding already",
    }


@pytest.mark.parametrize(
    ("change", "status", "word"), [("gone", "failed", "no sequence"), ("off", "skipped", "switched off")]
)
def test_a_sequence_that_is_gone_or_off_takes_nobody(
    run_jobs: RunJobs, workspace: Workspace, change: str, status: str, word: str
) -> None:
    owner = workspace.id if change == "off" else ObjectId()
    sequence = Sequence(workspace_id=owner, name="Onboarding", is_active=False).save()
    run_id = happens(workspace, {"type": "enroll_in_sequence", "sequenceId": str(sequence.id)})
    run_jobs()

    assert Enrolment.objects.count() == 0
    assert step(run_id).status == status
    assert word in (step(run_id).note or step(run_id).error)


def test_a_webhook_says_what_happened_signed_for_this_workspace_alone(
    run_jobs: RunJobs, workspace: Workspace, sink: Sink
) -> None:
    run_id = happens(
        workspace, {"type": "webhook", "url": f"{sink.url}/in", "data": {"who": "{{contact.email}}"}}
    )
    run_jobs()
    (request,) = sink.requests
    body = json.loads(request.body)

    assert body["data"] == {"who": "grace@navy.test"}
    assert body["workspaceId"] == str(workspace.id)
    assert (body["event"]["type"], body["event"]["payload"]["source"]) == ("contact.created", "form")
    assert (body["contact"]["firstName"], body["automation"]["name"]) == ("Grace", "An automation")
    assert request.headers["X-Clianta-Delivery"] == f"automation-{run_id}-0"
    stamp, signature = (part.split("=", 1)[1] for part in request.headers["X-Clianta-Signature"].split(","))
    secret = webhook.secret_of(str(workspace.id))
    expected = hmac.new(secret.encode(), stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert signature == expected
    assert len({secret, SECRET, webhook.secret_of(str(ObjectId()))}) == 3
    assert step(run_id).note == "the receiver answered 204"


def test_a_webhook_is_tried_again_under_the_same_delivery(
    run_jobs: RunJobs, workspace: Workspace, sink: Sink
) -> None:
    sink.answers[:] = [(503, {}), (204, {})]
    run_id = happens(workspace, {"type": "webhook", "url": sink.url}, TASK)
    run_jobs()
    assert (step(run_id, 0).status, step(run_id, 1).status) == ("retrying", "done")
    assert "answered 503" in step(run_id, 0).error
    assert automation_step.run(run_id, 0) == "done"

    assert len({request.headers["X-Clianta-Delivery"] for request in sink.requests}) == 1
    assert len(sink.requests) == 2


def test_a_webhook_whose_receiver_refuses_is_not_tried_again(
    run_jobs: RunJobs, workspace: Workspace, sink: Sink
) -> None:
    sink.answers[:] = [(410, {})]
    run_id = happens(workspace, {"type": "webhook", "url": sink.url})
    run_jobs()
    assert step(run_id).status == "failed"
    assert len(sink.requests) == 1


def test_a_webhook_never_reaches_a_private_address(
    run_jobs: RunJobs, workspace: Workspace, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "false")
    config.settings.cache_clear()
    run_id = happens(workspace, {"type": "webhook", "url": f"http://localhost:{sink.port}/"})
    run_jobs()

    assert sink.requests == []
    assert (step(run_id).status, step(run_id).error.split(":")[0]) == ("failed", "PrivateAddress")


def test_a_run_that_is_over_is_an_event_once(run_jobs: RunJobs, workspace: Workspace) -> None:
    run_id = happens(workspace, TASK, TASK)
    run_jobs()
    automation_step.run(run_id, 0)

    over, run = EventRecord.objects.get(type="workflow.completed"), TriggerRun.objects.get()
    assert over.payload["triggerId"] == str(run.trigger_id)
    assert (over.payload["outcome"], over.depth, over.causation_id) == ("succeeded", 1, str(run.event_id))


def outcomes(run_id: str) -> list[str]:
    """The ends of a run that were told of, in order."""
    told = EventRecord.objects(type="workflow.completed").order_by("position")
    return [record.payload["outcome"] for record in told if record.payload["triggerId"] in run_id]


def test_a_run_that_was_repaired_is_told_of_as_it_ended_each_outcome_once(
    run_jobs: RunJobs, workspace: Workspace
) -> None:
    run_id = happens(workspace, {"type": "create_task", "title": "Call {{contact.jobTitle}}"}, TASK)
    for outcome in ("failed", "succeeded"):
        conditions = [("event.triggerId", "equals", run_id.partition("-")[0])]
        conditions.append(("event.outcome", "equals", outcome))
        notice = {"type": "notify", "message": outcome}
        automation(workspace, *conditions, event_type="workflow.completed", actions=[notice])
    run_jobs()
    dead_letters.requeue([f"automation-{run_id}-0"])  # too early
    run_jobs()
    assert (TriggerRun.objects.get(id=run_id).status, outcomes(run_id)) == ("failed", ["failed"])

    Contact.objects.update(set__job_title="Admiral")
    dead_letters.requeue([f"automation-{run_id}-0"])
    run_jobs()
    assert automation_step.run(run_id, 0) == "done"
    run_jobs()

    assert (TriggerRun.objects.get(id=run_id).status, outcomes(run_id)) == ("done", ["failed", "succeeded"])
    told = [notice.message for notice in Notification.objects(kind="automation")]
    assert sorted(told) == ["failed", "succeeded"]


def test_a_requeued_step_that_has_to_wait_is_running_and_found_when_its_job_is_lost(
    run_jobs: RunJobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = happens(workspace, TASK)
    TriggerRun.end_step(run_id, 0, "failed", error="given up")
    assert TriggerRun.settle(run_id)
    with monkeypatch.context() as patch:
        patch.setattr(create_task.Task, "create_once", failing(ConnectionError("not now")))
        with pytest.raises(ConnectionError):
            automation_step.run(run_id, 0)
    assert TriggerRun.objects.get().status == "running"

    redis().flushall()
    monkeypatch.setattr(automations, "LOST_AGE", timedelta(seconds=-1))
    assert automations.recover() == 1
    run_jobs()
    assert TriggerRun.objects.get().status == "done"


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_the_history_says_no_more_of_an_error_than_a_log_may(
    run_jobs: RunJobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> bool:
        raise ValueError("cannot reach https://user:hunter2@host/" + "x" * 1_000)

    monkeypatch.setattr(create_task.Task, "create_once", fail)
    run_id = happens(workspace, TASK)
    run_jobs()
    assert "hunter2" not in step(run_id).error
    assert len(step(run_id).error) == automation_step.LONGEST_NOTE
