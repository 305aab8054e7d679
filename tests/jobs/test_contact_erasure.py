"""Erasing a contact: afterwards nothing that Redis and the store hold tells of the person."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from bson import ObjectId, json_util
from flask.testing import FlaskClient

import queues.erase
from consumers import healing
from jobs import contact_erasure
from models import store
from models.activity import Activity
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.email_message import EmailMessage
from models.enrolment import Enrolment
from models.erasure import Erasure
from models.event import EventRecord
from models.form import Form, FormField
from models.form_submission import FormSubmission
from models.intent_source import IntentSource
from models.lead_recycling import LeadRecycling
from models.lifecycle_step import LifecycleStep
from models.notification import Notification
from models.send_attempt import SendAttempt
from models.task import Task
from models.trigger_run import RunStep, TriggerRun
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Workspace
from publishers import events
from queues import dead_letters
from queues.connection import redis
from queues.enqueue import NewJob, RedisError, enqueue, enqueue_in
from queues.job import Job
from queues.names import CRM_EVENTS, INTEGRATIONS
from schemas.email import EmailBounced
from schemas.visits import Visit, VisitsTracked
from tests import failing
from tests.consumers import chaos
from tests.web.public.conftest import ACTIVITIES, OPPORTUNITIES, Api

EMAIL, OTHER = "grace.hopper@navy.test", "ada@navy.test"
SECRETS = (EMAIL, "Hopper", "555-0100", "her-browser", "her-search", "Dear Grace")


@pytest.fixture
def api(client: FlaskClient) -> Api:
    workspace = Workspace(name="Acme").save()
    fields = [FormField(name="email"), FormField(name="note")]
    return Api(client, workspace, Form(workspace_id=workspace.id, name="Talk to us", fields=fields).save())


@pytest.fixture
def grace(api: Api, run_jobs: Callable[[], int]) -> Contact:
    """A contact who left her traces everywhere, with jobs in every state."""
    hers = {"visitorId": "her-browser", "url": "https://acme.test/?q=her-search"}
    api.track(*(api.event(**hers, sessionId=str(number)) for number in range(3)))
    api.submit({"note": "Hopper, 555-0100"}, visitorId="her-browser")
    run_jobs()
    api.submit({"email": EMAIL, "note": "call 555-0100", "lastName": "Hopper"}, visitorId="her-browser")
    grace: Contact = Contact.objects.get(email=EMAIL)
    api.track(api.event(**hers))
    api.contact(
        EMAIL, phone="555-0100", lastName="Hopper", company="Hopper Ltd", customFields={"note": "Hopper"}
    )
    api.about(ACTIVITIES, str(grace.id), type="call", title="Called Hopper")
    api.about(OPPORTUNITIES, str(grace.id), title="Seats for Hopper", customFields={"phone": "555-0100"})
    run_jobs()
    _documents(grace)
    _jobs(grace)
    return grace


def _documents(grace: Contact) -> None:
    mine = {"workspace_id": grace.workspace_id, "contact_id": grace.id}
    Task.create_once(**mine, assigned_to=None, title="Call Hopper", key="task")
    Notification.notify(**mine, user_id=None, kind="automation", message=f"{EMAIL} came by", key="notice")
    SendAttempt.begin("welcome", **mine, account_id=ObjectId(), message_id="m", reason=f"no {EMAIL} here")
    IntentSource.note({ObjectId(): grace.id})
    sequence = {"sequence_id": ObjectId(), "version": 1, "key": "enrolment"}
    Enrolment.enrol_once(**mine, **sequence)
    LifecycleStep(**mine, stage="mql", occasion="o", at=store.now()).save()
    moments = dict.fromkeys(("lost_at", "interest_at", "recycled_at"), store.now())
    LeadRecycling(**mine, lost_as="lost", **moments).save()
    step = RunStep(action={"type": "notify", "message": "Dear Grace"}, note=f"told {EMAIL}")
    TriggerRun.store_new(
        [
            TriggerRun(
                **mine,
                trigger_id=ObjectId(),
                event_id=ObjectId(),
                event_type="contact.created",
                correlation_id="c",
                steps=[step],
            )
        ]
    )
    message = {
        "thread_key": "t",
        "subject": "Dear Grace",
        "subject_key": "dear grace",
        "sent_at": store.now(),
        "kind": "new",
        "text": "Dear Grace Hopper",
        "reply_text": "Dear Grace",
    }
    circle = {"participants": [OTHER, EMAIL], "recipients": [OTHER, EMAIL]}
    stored = EmailMessage.store(
        grace.workspace_id,
        ObjectId(),
        [
            {**message, "dedupe_key": "1", "sender": EMAIL, "contact_ids": [grace.id], **circle},
            {**message, "dedupe_key": "2", "sender": OTHER, "contact_ids": [], **circle},
            {
                **message,
                "dedupe_key": "3",
                "sender": OTHER,
                "failed_recipients": [{"email": EMAIL, "is_permanent": True}],
                "contact_ids": [grace.id],
                **circle,
            },
        ],
    )
    events.publish(
        EmailBounced(
            workspace_id=str(grace.workspace_id),
            message_id=str(stored[2].id),
            account_id=str(ObjectId()),
            recipients=[EMAIL],
            is_permanent=True,
        )
    )


def _jobs(grace: Contact) -> None:
    """Waiting, delayed, finished, and dead letters whose arguments or errors name her."""
    about = {"queue": INTEGRATIONS, "func": "tests.queues.sample_jobs.noop"}
    enqueue(NewJob(**about, id="waiting", kwargs={"payload": EMAIL}))
    enqueue_in(
        NewJob(**about, id="delayed", kwargs={"payload": {"contactId": str(grace.id)}}), timedelta(days=1)
    )
    failing.bury(failing.enqueue(1), f"ValueError: {EMAIL} is wrong\n")


def everything() -> str:
    """All that the stores hold, as text."""
    documents = [found for kind in store.documents() for found in kind._get_collection().find()]
    found: list[str] = []
    queues.erase.erase(lambda text: bool(found.append(text)))
    return json_util.dumps(documents, ensure_ascii=False) + "\n".join(found)


def erase(grace: Contact) -> dict[str, int]:
    return contact_erasure.run(str(grace.workspace_id), str(grace.id), "ada")


def look_again(grace: Contact) -> int:
    return contact_erasure.look_again(str(grace.id))


def secrets_left() -> list[str]:
    after = everything().lower()
    return [secret for secret in SECRETS if secret.lower() in after]


def test_nothing_is_left_of_the_person_in_any_collection_nor_in_any_job(grace: Contact) -> None:
    before = everything()
    assert [secret for secret in SECRETS if secret not in before] == []

    counts = erase(grace)

    assert secrets_left() == ["her-browser"]  # not to be tracked, until nothing of it is under way
    visitors = [str(visitor.to_mongo().to_dict()) for visitor in Visitor.objects]
    assert everything().count("her-browser") == sum("her-browser" in visitor for visitor in visitors) == 1
    look_again(grace)
    assert secrets_left() == []
    kinds = [kind for kind in store.documents() if hasattr(kind, "erase")]
    assert {kind.__name__ for kind in kinds if not counts.get(kind._meta["collection"])} == set()
    assert counts["jobs"] >= 3
    assert not Job.exists("waiting", connection=redis())


def test_the_record_of_it_and_the_event_name_nobody(grace: Contact, run_jobs: Callable[[], int]) -> None:
    erase(grace)
    record = Erasure.objects.get()
    assert (record.id, record.workspace_id, record.requested_by) == (grace.id, grace.workspace_id, "ada")
    assert record.erased_at >= record.requested_at
    event = EventRecord.objects.get(type="contact.deleted")
    assert event.payload == {
        "workspaceId": str(grace.workspace_id),
        "contactId": str(grace.id),
        "reason": "erased",
    }
    run_jobs()
    assert EventRecord.objects.get(type="contact.deleted").status == "done"
    assert Activity.objects(contact_id=grace.id).count() == 0


def test_others_keep_what_is_theirs(api: Api, grace: Contact, run_jobs: Callable[[], int]) -> None:
    api.identify(OTHER)
    api.track(api.event())
    ada = Contact.objects.get(email=OTHER)
    deal = Deal(workspace_id=grace.workspace_id, contact_ids=[grace.id, ada.id], title="Both").save()
    alone = Deal.objects.get(contact_ids=[grace.id])
    run_jobs()

    erase(grace)

    assert [contact.email for contact in Contact.objects] == [OTHER]
    look_again(grace)
    assert Visitor.objects.get().contact_id == VisitorEvent.objects.get().contact_id == ada.id
    assert Activity.objects(contact_id=ada.id, kind="page_viewed").count() == 1
    assert (deal.reload().title, deal.contact_ids) == ("Both", [ada.id])
    assert (alone.reload().title, alone.contact_ids) == ("Erased contact", [])
    messages = EmailMessage.objects.order_by("dedupe_key")
    assert [(m.participants, m.sender, m.text) for m in messages] == [
        ([OTHER], None, None),
        ([OTHER], OTHER, None),
        ([OTHER], OTHER, None),
    ]


def test_entries_and_visits_of_others_that_wait_with_the_persons_survive(
    api: Api, grace: Contact, run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.identify(OTHER)
    run_jobs()
    ada = Contact.objects.get(email=OTHER)
    both = [{"visitorId": who, "url": f"https://acme.test/?q={who}"} for who in ("her-browser", "visitor-1")]
    api.track(*(api.event(**one) for one in both))  # stored: their timeline entries wait
    api.track(*(api.event(**one, sessionId="later") for one in both), settle=False)
    assert Activity.objects(contact_id=ada.id, kind="page_viewed").count() == 0

    erase(grace)

    run_jobs()
    assert EventRecord.objects(type="visits.tracked", status__ne="done").count() == 0
    assert look_again(grace) == 0
    assert secrets_left() == []
    assert Activity.objects(contact_id=ada.id, kind="page_viewed").count() == 2
    assert [visit.visitor_id for visit in VisitorEvent.objects] == ["visitor-1"] * 2


def test_a_company_stays_while_somebody_else_belongs_to_it(api: Api, run_jobs: Callable[[], int]) -> None:
    for email in (EMAIL, OTHER):
        api.contact(email, company="Hopper Ltd")
    run_jobs()
    left = []
    for email in (EMAIL, OTHER):
        erase(Contact.objects.get(email=email))
        left.append(Company.objects.count())
    assert left == [1, 0]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"to": f"mrs.{EMAIL}"},
        {"to": f"{EMAIL}.example"},
        {"to": EMAIL, "workspaceId": str(ObjectId())},
        {"visitorId": "her-browser", "workspace_id": str(ObjectId())},
    ],
)
def test_jobs_about_others_stay(api: Api, kwargs: dict[str, str]) -> None:
    contact, _ = Contact.upsert(api.workspace.id, EMAIL, {})
    Visitor.identify(api.workspace.id, "her-browser", contact.id)
    enqueue(NewJob(INTEGRATIONS, "tests.queues.sample_jobs.noop", "others", kwargs={"payload": kwargs}))

    assert "jobs" not in erase(contact)
    assert Job.exists("others", connection=redis())


def test_a_visitor_of_another_workspace_with_the_same_id_keeps_what_is_under_way(api: Api) -> None:
    contact, _ = Contact.upsert(api.workspace.id, EMAIL, {})
    Visitor.identify(api.workspace.id, "her-browser", contact.id)
    shared = {"visitor_id": "her-browser", "session_id": "1", "event_type": "page_view", "event_name": "View"}
    visit = Visit(**shared, url="https://other.test", happened_at=store.now())
    event_id = events.publish(VisitsTracked(workspace_id=str(ObjectId()), visits=[visit]))

    erase(contact)
    assert EventRecord.objects(id=event_id).count() == 1
    assert Job.exists(f"event-{event_id}", connection=redis())


def test_visits_of_others_in_a_dead_letter_with_the_persons_are_stored_when_it_is_requeued(
    api: Api, grace: Contact, run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.track(
        *(api.event(visitorId=who, sessionId="dead") for who in ("her-browser", "visitor-1")), settle=False
    )
    with monkeypatch.context() as broken:
        broken.setattr(VisitorEvent, "store", Mock(side_effect=failing.Broken))
        run_jobs()
    event = EventRecord.objects.get(type="visits.tracked", status="failed")

    erase(grace)
    assert dead_letters.requeue([event.job_id]).done == 1
    run_jobs()

    assert event.reload().status == "done"
    assert [visit.visitor_id for visit in VisitorEvent.objects] == ["visitor-1"]


def test_erasing_again_changes_nothing(grace: Contact) -> None:
    counts = erase(grace)
    before = everything()
    assert erase(grace) == counts
    assert everything() == before


@pytest.mark.parametrize("dies_in", [Activity, EventRecord, FormSubmission, Visitor, VisitorEvent, Contact])
def test_what_died_in_the_middle_is_completed_by_the_next_run(
    grace: Contact, monkeypatch: pytest.MonkeyPatch, dies_in: Any
) -> None:
    def die(_: object) -> int:
        raise RedisError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(dies_in, "erase", die)
        with pytest.raises(RedisError):
            erase(grace)
    assert Erasure.objects.get().erased_at is None
    assert Contact.objects(id=grace.id)
    erase(grace)
    assert look_again(grace) == 0
    assert secrets_left() == []


def test_the_second_look_removes_what_a_running_job_wrote_meanwhile(grace: Contact) -> None:
    erase(grace)
    assert Job.fetch(f"erasure-{grace.id}", connection=redis()).get_status() == "scheduled"
    Activity.record(
        workspace_id=grace.workspace_id,
        contact_id=grace.id,
        kind="note",
        title="Hopper",
        source="late",
        happened_at=store.now(),
    )
    assert look_again(grace) == 1
    assert Activity.objects.count() == 0
    assert look_again(grace) == 0
    assert Erasure.objects.get().checked_at


def test_a_second_look_that_redis_lost_takes_place(grace: Contact, run_jobs: Callable[[], int]) -> None:
    healing.heal(store.now())
    erase(grace)
    redis().flushall()
    chaos.heal()
    run_jobs()
    assert Job.fetch(f"erasure-{grace.id}", connection=redis()).get_status() == "scheduled"
    look_again(grace)
    redis().flushall()
    chaos.heal()
    run_jobs()
    assert not Job.exists(f"erasure-{grace.id}", connection=redis())


def test_ten_times_the_data_cost_the_same_store_commands(
    api: Api, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    costs = []
    for number in (3, 30):
        api.track(*api.events(number, visitorId=f"v{number}"))
        contact, _ = Contact.upsert(api.workspace.id, f"{number}@navy.test", {})
        Visitor.identify(api.workspace.id, f"v{number}", contact.id)
        VisitorEvent.link_visitor(api.workspace.id, f"v{number}", contact.id)
        with count_store_commands() as commands:
            erase(contact)
        costs.append(len(commands))
    assert costs[0] == costs[1]
    assert VisitorEvent.objects.count() == 0


def test_a_job_that_runs_is_left_to_its_end(grace: Contact) -> None:
    enqueue(NewJob(CRM_EVENTS, "tests.queues.sample_jobs.noop", "running", kwargs={"payload": EMAIL}))
    redis().lrem(f"rq:queue:{CRM_EVENTS}", 0, "running")
    redis().hset("rq:job:running", "status", "started")
    assert queues.erase.erase(lambda text: EMAIL in text).running == 1
    assert Job.exists("running", connection=redis())
