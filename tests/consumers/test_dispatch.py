"""The dispatcher: each reaction takes effect once, whatever happens to the others or to the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from rq import Queue
from rq.exceptions import AbandonedJobError
from rq.registry import FailedJobRegistry
from rq.timeouts import JobTimeoutException

from consumers import dispatch, registry
from consumers.registry import Delivery, reacts_to
from models.event import EventRecord
from publishers import events, relay
from queues import dead_letters
from queues.connection import redis
from queues.enqueue import NewJob, enqueue
from queues.job import Job
from schemas.contact import ContactCreated, ContactUpdated
from schemas.event import Event, UnknownEvent
from tests.publishers.ageing import age

pytestmark = pytest.mark.usefixtures("stores")

WORKSPACE = str(ObjectId())


class Hopeless(Exception):
    permanent = True


class Reactions:
    """Reactions to `contact.created` that note their runs and fail as told."""

    def __init__(self, *names: str) -> None:
        self.runs: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.table: dict[str, registry.Reaction] = {name: self._reaction(name) for name in names}

    def _reaction(self, name: str) -> registry.Reaction:
        def react(_event: Event, _delivery: Delivery) -> None:
            self.runs.append(name)
            if name in self.failing:
                raise self.failing[name]

        return react


@pytest.fixture
def reactions(monkeypatch: pytest.MonkeyPatch) -> Reactions:
    dispatch.load_reactions()
    found = Reactions("first", "second", "third")
    monkeypatch.setitem(registry._reactions, "contact.created", found.table)
    return found


def publish() -> EventRecord:
    fact = ContactCreated(workspace_id=WORKSPACE, contact_id=str(ObjectId()), source="form")
    found: EventRecord = EventRecord.objects.get(id=events.publish(fact))
    return found


def deliver(record: EventRecord) -> None:
    dispatch.handle(str(record.id), record.envelope())


def test_every_reaction_runs_and_the_event_is_done(reactions: Reactions) -> None:
    record = publish()
    deliver(record)

    record.reload()
    assert reactions.runs == ["first", "second", "third"]
    assert record.status == "done"
    assert record.done_at >= record.accepted_at
    assert record.reactions.keys() == {"first", "second", "third"}


def test_a_redelivered_event_changes_nothing(reactions: Reactions) -> None:
    record = publish()
    deliver(record)
    before = EventRecord.objects.get(id=record.id).to_mongo()
    deliver(record)

    assert reactions.runs == ["first", "second", "third"]
    assert EventRecord.objects.get(id=record.id).to_mongo() == before


def test_a_failing_reaction_holds_up_no_other_and_is_retried_alone(reactions: Reactions) -> None:
    record = publish()
    reactions.failing["second"] = ConnectionError("the vendor is away")
    with pytest.raises(dispatch.ReactionsFailed) as failed:
        deliver(record)

    assert reactions.runs == ["first", "second", "third"]
    assert not failed.value.permanent
    assert EventRecord.objects.get(id=record.id).status == "pending"

    del reactions.failing["second"]
    deliver(record)
    assert reactions.runs == ["first", "second", "third", "second"]
    assert EventRecord.objects.get(id=record.id).status == "done"


def test_the_error_names_the_reaction_and_its_cause(reactions: Reactions) -> None:
    record = publish()
    reactions.failing["third"] = ConnectionError("the vendor is away")
    with pytest.raises(
        dispatch.ReactionsFailed, match=r"1 reaction\(s\) to contact\.created failed"
    ) as failed:
        deliver(record)

    (cause,) = failed.value.exceptions
    assert str(cause) == "the vendor is away"
    assert cause.__notes__ == [f"in the reaction third to contact.created {record.id}"]


@pytest.mark.parametrize(
    ("errors", "permanent"),
    [
        ([Hopeless("a")], True),
        ([Hopeless("a"), Hopeless("b")], True),
        ([Hopeless("a"), ConnectionError("b")], False),
    ],
)
def test_failures_are_permanent_only_when_no_retry_could_help(
    reactions: Reactions, errors: list[Exception], permanent: bool
) -> None:
    record = publish()
    reactions.failing = dict(zip(("first", "second"), errors, strict=False))
    with pytest.raises(dispatch.ReactionsFailed) as failed:
        deliver(record)

    assert failed.value.permanent is permanent


def test_a_reaction_whose_time_is_up_ends_the_job_at_once(reactions: Reactions) -> None:
    record = publish()
    reactions.failing["second"] = JobTimeoutException("180 s")
    with pytest.raises(JobTimeoutException):
        deliver(record)

    assert reactions.runs == ["first", "second"]
    assert EventRecord.objects.get(id=record.id).reactions.keys() == {"first"}


def test_an_event_without_reactions_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.load_reactions()
    monkeypatch.setitem(registry._reactions, "contact.created", {})
    record = publish()
    deliver(record)

    assert EventRecord.objects.get(id=record.id).status == "done"


def test_a_reaction_knows_its_event_and_when_it_was_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.load_reactions()
    seen: list[tuple[Event, Delivery]] = []
    monkeypatch.setitem(registry._reactions, "contact.created", {"note": lambda *given: seen.append(given)})
    record = publish()
    deliver(record)

    ((fact, delivery),) = seen
    assert isinstance(fact, ContactCreated)
    assert fact.workspace_id == WORKSPACE
    assert delivery == Delivery(str(record.id), record.correlation_id, record.accepted_at)
    assert delivery.accepted_at.tzinfo is not None


def test_two_reactions_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_reactions", {})

    def twice(_event: ContactUpdated, _delivery: Delivery) -> None: ...

    reacts_to(ContactUpdated)(twice)
    with pytest.raises(ValueError, match=r"two reactions to contact\.updated are named twice"):
        reacts_to(ContactUpdated)(twice)


GOOD = {"type": "contact.created", "version": 1}
PAYLOAD = {"workspaceId": WORKSPACE, "contactId": str(ObjectId()), "source": "form"}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({**GOOD, "payload": PAYLOAD}, "is not in the ledger"),
        (
            {**GOOD, "payload": {**PAYLOAD, "source": "x" * 5, "extra": 1}},
            "does not fit its schema: source, extra",
        ),
        ({**GOOD, "payload": None}, "does not fit its schema"),
        ({"type": "contact.created", "payload": PAYLOAD}, "has no 'version'"),
        ({**GOOD, "type": "contact.vanished", "payload": PAYLOAD}, "no such type"),
        ({**GOOD, "version": 2, "payload": PAYLOAD}, r"known versions: \[1\]"),
        ({**GOOD, "type": ["a", "list"], "payload": PAYLOAD}, "is no object of type, version and payload"),
        ("contact.created", "is no object of type, version and payload"),
    ],
)
def test_what_is_no_event_is_refused_for_good_with_the_reason(event: Any, reason: str) -> None:
    with pytest.raises((dispatch.BadEvent, UnknownEvent), match=reason) as refused:
        dispatch.handle(str(ObjectId()), event)

    assert refused.value.permanent


def test_an_event_id_that_is_none_is_refused_for_good() -> None:
    with pytest.raises(dispatch.BadEvent, match=r"event \.\./etc is not in the ledger"):
        dispatch.handle("../etc", {**GOOD, "payload": PAYLOAD})


def test_an_unknown_event_is_a_dead_letter_at_once_that_says_why(run_jobs: Callable[[], int]) -> None:
    record = publish()
    redis().flushall()
    envelope = record.envelope() | {"version": 7}
    kwargs = {"event_id": str(record.id), "event": envelope}
    enqueue(NewJob(queue="crm-events", func=events.DISPATCHER, id="from-the-future", kwargs=kwargs))

    run_jobs()

    job = Job.fetch("from-the-future", connection=redis())
    failed = Queue("crm-events", connection=redis(), job_class=Job).failed_job_registry
    assert failed.get_job_ids() == ["from-the-future"]
    assert job.get_status() == "failed"
    result = job.latest_result()
    assert result is not None
    assert "event 'contact.created' version 7 is unknown here (known versions: [1])" in str(result.exc_string)


def test_the_ledger_says_why_an_event_failed_and_that_it_was_done_later(
    reactions: Reactions, run_jobs: Callable[[], int]
) -> None:
    reactions.failing["second"] = Hopeless("no way")
    record = publish()
    run_jobs()
    assert record.reload().status == "failed"
    assert "ReactionsFailed" in record.error

    reactions.failing.clear()
    FailedJobRegistry("crm-events", connection=redis(), job_class=Job).requeue(f"event-{record.id}")
    run_jobs()
    assert record.reload().status == "done"
    assert record.error is None


def test_a_failed_event_whose_dead_letter_was_purged_does_not_come_back(
    reactions: Reactions, run_jobs: Callable[[], int]
) -> None:
    reactions.failing["second"] = Hopeless("no way")
    record = publish()
    run_jobs()
    assert sum(moved.done for moved in dead_letters.purge_all("crm-events")) == 1
    age([record.id])
    assert relay.relay() == 0


def test_the_event_of_a_quarantined_job_counts_as_failed(reactions: Reactions) -> None:
    record = publish()
    job = Job.fetch(f"event-{record.id}", connection=redis())
    dispatch.mark_abandoned(job, ValueError)
    assert record.reload().status == "pending"
    dispatch.mark_abandoned(job, AbandonedJobError)
    assert record.reload().status == "failed"
