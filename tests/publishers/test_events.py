"""publish(): an event is accepted once, and is on the queue or pending."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bson import ObjectId

import config
from models import store
from models.event import EventRecord
from publishers import events, relay
from queues import counts
from queues.connection import redis
from queues.job import Job
from queues.names import CRM_EVENTS
from sandbox.process import Server, answers, free_port
from schemas.contact import ContactCreated, ContactUpdated
from schemas.event import Event
from tests.publishers.ageing import age

pytestmark = pytest.mark.usefixtures("stores")

WORKSPACE = str(ObjectId())
QUEUE = "rq:queue:crm-events"


def created() -> ContactCreated:
    return ContactCreated(workspace_id=WORKSPACE, contact_id=str(ObjectId()), source="form")


def updated() -> ContactUpdated:
    return ContactUpdated(workspace_id=WORKSPACE, contact_id=str(ObjectId()), changed=["firstName"])


@pytest.fixture
def redis_away(redis_process: Server) -> Iterator[Server]:
    """Redis is stopped; start it to bring it back."""
    redis_process.stop()
    yield redis_process
    if not answers(redis_process.port):
        redis_process.start()


@pytest.fixture
def store_away() -> Iterator[None]:
    """The store does not answer."""
    store.disconnect()
    store.connect(f"mongodb://127.0.0.1:{free_port()}/away")
    yield
    store.disconnect()
    store.connect(config.settings().mongodb_uri.get_secret_value())


def test_a_published_event_is_in_the_ledger_and_on_the_queue() -> None:
    event = created()
    event_id = events.publish(event, correlation_id="request-1", causation_id="cause-1")

    record = EventRecord.objects.get(id=event_id)
    assert (record.type, record.version, record.status) == ("contact.created", 1, "pending")
    assert (record.correlation_id, record.causation_id) == ("request-1", "cause-1")
    assert str(record.workspace_id) == WORKSPACE

    job = Job.fetch(f"event-{event_id}", connection=redis())
    assert job.func_name == "consumers.dispatch.handle"
    assert job.kwargs == {
        "event_id": event_id,
        "event": {
            "type": "contact.created",
            "version": 1,
            "workspaceId": WORKSPACE,
            "correlationId": "request-1",
            "causationId": "cause-1",
            "subject": f"{WORKSPACE}:contact:{event.contact_id}",
            "position": record.position,
            "run": 0,
            "payload": {"workspaceId": WORKSPACE, "contactId": event.contact_id, "source": "form"},
        },
    }
    assert job.meta == {"event_id": event_id, "correlation_id": "request-1", "workspace_id": WORKSPACE}
    assert event.contact_id not in str(job.description)


def test_an_event_without_a_cause_starts_its_own_correlation() -> None:
    event_id = events.publish(created())

    assert EventRecord.objects.get(id=event_id).correlation_id == event_id


def test_publishing_an_event_twice_is_one_event_and_one_job() -> None:
    event = created()

    assert events.publish(event) == events.publish(event)
    assert EventRecord.objects.count() == 1
    assert redis().llen(QUEUE) == 1


def test_an_event_that_is_done_is_not_queued_again() -> None:
    event = created()
    event_id = events.publish(event)
    EventRecord.objects.get(id=event_id).mark_done()
    redis().flushall()

    assert events.publish(event) == event_id
    assert redis().llen(QUEUE) == 0


def test_events_without_a_key_are_each_new() -> None:
    event = updated()

    assert events.publish(event) != events.publish(event)
    assert redis().llen(QUEUE) == 2


def test_a_batch_keeps_its_order_and_counts_each_event_once() -> None:
    first, second, third = created(), updated(), created()
    known = events.publish(first)
    ids = events.publish_all([third, first, second, third])

    assert len(ids) == 4
    assert ids[0] == ids[3]
    assert ids[1] == known
    assert [EventRecord.objects.get(id=each).type for each in ids] == [
        "contact.created",
        "contact.created",
        "contact.updated",
        "contact.created",
    ]
    assert EventRecord.objects.count() == 3
    assert redis().llen(QUEUE) == 3


def test_a_large_batch_is_accepted_whole() -> None:
    batch: list[Event] = [created() for _ in range(1_200)]
    ids = events.publish_all(batch)

    assert len(set(ids)) == 1_200
    assert EventRecord.objects.count() == 1_200
    assert counts.counts([CRM_EVENTS])[0].waiting == 1_200


def test_an_empty_batch_changes_nothing() -> None:
    assert events.publish_all([]) == []
    assert EventRecord.objects.count() == 0


def test_an_event_published_without_redis_is_accepted_and_relayed_when_it_is_back(redis_away: Server) -> None:
    event = created()
    event_id = events.publish(event)
    assert events.publish(event) == event_id
    assert EventRecord.objects.get(id=event_id).status == "pending"

    redis_away.start()
    age([event_id])
    assert relay.relay() == 1
    assert EventRecord.objects.get(id=event_id).status == "queued"
    assert redis().lrange(QUEUE, 0, -1) == [f"event-{event_id}".encode()]


def test_without_the_store_nothing_is_accepted_and_nothing_queued(store_away: None) -> None:
    with pytest.raises(store.StoreError):
        events.publish(created())

    assert redis().dbsize() == 0
