"""Reactions that hand work on to other jobs are marked, and the ledger notes which did."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bson import ObjectId

from consumers import dispatch
from consumers.registry import Delivery, jobs_of, reactions
from models import store
from models.event import EventRecord
from models.workspace import WelcomeEmail, Workspace
from publishers import events
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactCreated
from tests.automations import automation
from tests.consumers.happenings import World

dispatch.load_reactions()

RunJobs = Callable[[], int]


def jobs_handed_on() -> list[str]:
    """The ids of jobs that neither handle an event of the ledger nor were handed on for one."""
    keys = [key.decode() for key in redis().scan_iter("rq:job:*")]
    jobs = Job.fetch_many([key.removeprefix("rq:job:") for key in keys], connection=redis())
    return [job.id for job in jobs if job and not EventRecord.objects(id=job.meta.get("event_id"))]


@pytest.mark.usefixtures("stores")
def test_a_reaction_that_is_not_marked_puts_no_job_on_a_queue() -> None:
    """Whatever the event; the marked ones do. An unmarked one's job would be lost with Redis."""
    world = World(1)
    world.identify()
    Workspace.objects(id=world.workspace.id).update(
        welcome_email=WelcomeEmail(account_id=ObjectId(), subject="Hi", body="Hi")
    )
    for kind in ("contact.created", "page.viewed"):
        automation(world.workspace, event_type=kind, actions=[{"type": "notify", "message": "x"}], name=kind)
    handing: set[str] = set()
    for event in world.happenings(0):
        delivery = Delivery(str(ObjectId()), "test", store.now())
        for name, run in reactions(event.type).items():
            has_handed_on = bool(run(event, delivery))
            is_marked = jobs_of(run, []) is not None
            assert is_marked or jobs_handed_on() == [], f"{name} to {event.type}: mark it with `hands_on`"
            assert has_handed_on == (jobs_handed_on() != [])
            redis().flushall()
            if has_handed_on:
                handing.add(name)
    assert handing >= {"log_activity", "send_welcome_email", "log_page_view", "check_automations", "log_hit"}


@pytest.mark.usefixtures("clean_redis")
def test_the_ledger_notes_which_reactions_handed_work_on(run_jobs: RunJobs) -> None:
    workspace = Workspace(name="Acme").save()
    ids = {"workspace_id": str(workspace.id), "contact_id": str(ObjectId())}
    event_id = events.publish(ContactCreated(**ids, source="api"))
    run_jobs()
    record = EventRecord.objects.get(id=event_id)
    assert record.status == "done"
    assert record.handed_on == {"log_activity": True}
    assert set(record.handed_on) < set(record.reactions)
