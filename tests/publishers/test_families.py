"""The publishers: one function per event of the catalogue, each a fact about the record that it is given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.email_account import EmailAccount
from models.email_message import EmailMessage
from models.event import PENDING, EventRecord
from models.form_submission import FormSubmission
from models.send_attempt import SendAttempt
from models.task import Task
from models.trigger_run import TriggerRun
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from publishers import (
    activities,
    contacts,
    deals,
    emails,
    events,
    forms,
    integrations,
    intent,
    lifecycle,
    meetings,
    pages,
    sequences,
    tasks,
    workflows,
)
from queues.connection import redis
from sandbox.process import Server
from schemas.event import catalogue, decode
from schemas.visits import Visit

pytestmark = pytest.mark.usefixtures("stores")

WORKSPACE, ID, OTHER = ObjectId(), ObjectId(), ObjectId()
AT = datetime(2026, 2, 4, 9, 30, tzinfo=UTC)

contact = Contact(id=ID, workspace_id=WORKSPACE, email="ada@acme.test")
deal = Deal(id=ID, workspace_id=WORKSPACE, contact_ids=[OTHER], title="A deal", amount=9.5, currency="EUR")
task = Task(id=ID, workspace_id=WORKSPACE, contact_id=OTHER, title="Call", key="k")
activity = Activity(id=ID, workspace_id=WORKSPACE, contact_id=OTHER, kind="call", happened_at=AT)
submission = FormSubmission(id=ID, workspace_id=WORKSPACE, form_id=OTHER)
visit = VisitorEvent(id=ID, workspace_id=WORKSPACE, visitor_id="v", url="https://acme.test/", happened_at=AT)
tracked = Visit(
    visitor_id=str(ID),
    session_id="s",
    event_type="page_view",
    event_name="Page viewed",
    url="https://acme.test/",
    happened_at=AT,
)
message = EmailMessage(
    id=ID,
    workspace_id=WORKSPACE,
    kind="auto-reply",
    contact_ids=[OTHER],
    failed_recipients=[{"email": "grace@navy.test", "is_permanent": True}],
)
account = EmailAccount(id=OTHER, workspace_id=WORKSPACE)
attempt = SendAttempt(id=ID, workspace_id=WORKSPACE, contact_id=OTHER)
visitor = Visitor(id=f"{WORKSPACE}:v", contact_id=ID, untold=OTHER)
run = TriggerRun(id="r", workspace_id=WORKSPACE, trigger_id=ID, event_id=OTHER, correlation_id="c", depth=2)

CALLS: dict[str, Callable[[], None]] = {
    "contact.created": lambda: contacts.created(contact, source="manual"),
    "contact.updated": lambda: contacts.updated(contact, changed=["jobTitle"]),
    "contact.deleted": lambda: contacts.deleted(contact, reason="erased"),
    "contact.lifecycle_changed": lambda: lifecycle.changed(
        WORKSPACE, ID, "mql", previous="lead", occasion="rule:1"
    ),
    "contact.recycled": lambda: contacts.recycled(contact, lost_at=AT, enrolment_id=OTHER),
    "contact.score_changed": lambda: contacts.score_changed(
        contact, 80, "A", previous="B", occasion="event:1"
    ),
    "contact.owner_assigned": lambda: contacts.owner_assigned(
        contact, OTHER, method="round_robin", occasion="event:1"
    ),
    "opportunity.created": lambda: deals.created(deal),
    "opportunity.updated": lambda: deals.updated(deal, changed=["amount"]),
    "opportunity.stage_changed": lambda: deals.stage_changed(deal, "Won", previous=None, at=AT),
    "opportunity.won": lambda: deals.won(deal, at=AT),
    "opportunity.lost": lambda: deals.lost(deal, at=AT, reason="price"),
    "deal.stale": lambda: deals.stale(deal, "at_risk", quiet_since=AT),
    "task.created": lambda: tasks.created(task, due_at=AT),
    "task.completed": lambda: tasks.completed(task, at=AT, by=OTHER),
    "task.overdue": lambda: tasks.overdue(task, due_at=AT),
    "activity.logged": lambda: activities.logged(activity),
    "demo.requested": lambda: activities.demo_requested(activity),
    "form.submitted": lambda: forms.submitted(submission),
    "page.viewed": lambda: events.announce(pages.view(visit)),
    "visits.tracked": lambda: pages.tracked(WORKSPACE, [tracked]),
    "visitor.identified": lambda: pages.identified(WORKSPACE, visitor),
    "email.received": lambda: emails.received(message, account),
    "email.replied": lambda: emails.replied(message, account, in_reply_to=OTHER),
    "email.forwarded": lambda: emails.forwarded(message, account),
    "email.bounced": lambda: emails.bounced(message, account, original=OTHER),
    "email.opened": lambda: emails.opened(attempt, hit_id=OTHER, at=AT, is_machine=True),
    "email.clicked": lambda: emails.clicked(attempt, hit_id=OTHER, url="https://acme.test", at=AT),
    "email.unsubscribed": lambda: emails.unsubscribed(contact, method="one_click", at=AT),
    "intent.threshold_crossed": lambda: intent.threshold_crossed(
        WORKSPACE, ID, "high", previous="medium", score=71, occasion="event:1"
    ),
    "meeting.scheduled": lambda: meetings.scheduled(WORKSPACE, ID, starts_at=AT, contact_id=OTHER),
    "meeting.upcoming": lambda: meetings.upcoming(WORKSPACE, ID, starts_at=AT, briefing_id=OTHER),
    "sequence.completed": lambda: sequences.completed(
        contact, "replied", enrolment_id=OTHER, sequence_id=OTHER
    ),
    "integration.token_failed": lambda: integrations.token_failed(
        WORKSPACE, ID, provider="google", reason="invalid_grant", at=AT
    ),
    "workflow.completed": lambda: workflows.completed(run),
}


def test_every_event_of_the_catalogue_has_its_publisher() -> None:
    assert CALLS.keys() == catalogue().keys()


@pytest.mark.parametrize("name", CALLS)
def test_a_publisher_tells_one_event_about_its_record(name: str) -> None:
    CALLS[name]()

    record = EventRecord.objects.get()
    fact = decode(record.type, record.version, record.payload)
    assert (record.type, record.workspace_id, record.status) == (
        name,
        WORKSPACE,
        PENDING,
    )
    assert isinstance(fact, catalogue()[name])
    assert record.subject == fact.subject
    assert str(ID) in str(record.payload)


@pytest.mark.parametrize("name", [name for name, kind in catalogue().items() if kind.unique_by])
def test_telling_the_same_twice_is_one_event(name: str) -> None:
    CALLS[name]()
    CALLS[name]()

    assert EventRecord.objects.count() == 1


def test_a_run_of_an_automation_is_one_deeper_than_its_event() -> None:
    workflows.completed(run)

    record = EventRecord.objects.get()
    assert (record.depth, record.causation_id, record.correlation_id) == (3, str(OTHER), "c")


@pytest.mark.parametrize(("lost", "named", "is_permanent"), [((), ["a", "b"], False), (("b",), ["b"], True)])
def test_a_permanent_bounce_names_only_the_addresses_that_are_bad(
    lost: tuple[str, ...], named: list[str], is_permanent: bool
) -> None:
    failed = [{"email": email, "is_permanent": email in lost} for email in ("a", "b")]
    bounce = EmailMessage(id=ID, workspace_id=WORKSPACE, kind="bounce", failed_recipients=failed)
    emails.bounced(bounce, account, original=None)
    payload = EventRecord.objects.get().payload
    assert (payload["recipients"], payload["isPermanent"]) == (named, is_permanent)


def test_a_batch_is_one_insert_and_one_round_trip(
    redis_process: Server, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    contacts.created(contact, source="api")  # loads the scripts
    before = _calls()
    with count_store_commands() as names, events.batch():
        for number in range(40):
            contacts.updated(contact, changed=[f"field{number}"])
        deals.created(deal)
    assert _calls() - before == 1
    assert names == ["insert"]
    assert EventRecord.objects.count() == 42


def test_a_change_that_is_told_again_is_the_same_event_and_a_later_one_is_not() -> None:
    for _ in range(2):
        contacts.updated(contact, changed=["phone"])
    with events.batch():
        contacts.updated(contact, changed=["phone"])
    assert EventRecord.objects(type="contact.updated").count() == 1

    later = Contact(id=contact.id, workspace_id=contact.workspace_id)
    later.updated_at = contact.updated_at + timedelta(milliseconds=1)
    contacts.updated(later, changed=["phone"])
    assert EventRecord.objects(type="contact.updated").count() == 2


def test_a_batch_within_a_batch_is_part_of_it() -> None:
    with events.batch():
        contacts.created(contact, source="api")
        with events.batch():
            deals.created(deal)
        assert EventRecord.objects.count() == 0

    assert [record.type for record in EventRecord.objects.order_by("position")] == [
        "contact.created",
        "opportunity.created",
    ]


def test_of_a_batch_that_raises_nothing_is_published() -> None:
    def fail() -> None:
        with events.batch():
            contacts.created(contact, source="api")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    deals.created(deal)

    assert [record.type for record in EventRecord.objects] == ["opportunity.created"]


def _calls() -> int:
    """Scripts that Redis was asked to run so far."""
    stats = redis().info("commandstats")
    return sum(int(stats[name]["calls"]) for name in stats if name.startswith("cmdstat_eval"))
