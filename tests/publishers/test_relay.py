"""The relay: what never reached Redis, or was lost with it, is enqueued."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bson import ObjectId
from rq.utils import as_text

from models import store
from models.event import EventRecord
from models.workspace import Workspace
from publishers import events, relay
from queues import enqueue
from queues.connection import redis
from schemas.contact import ContactCreated
from schemas.visits import VisitsTracked
from tests.publishers.ageing import age

pytestmark = pytest.mark.usefixtures("stores")

QUEUE = "rq:queue:crm-events"


def publish(number: int = 1) -> list[str]:
    workspace = str(ObjectId())
    return events.publish_all(
        [
            ContactCreated(workspace_id=workspace, contact_id=str(ObjectId()), source="api")
            for _ in range(number)
        ]
    )


def forget(ids: list[str], status: str) -> None:
    """As if Redis had been lost, or had never had them."""
    redis().flushall()
    EventRecord.objects(id__in=ids).update(set__status=status)


def test_nothing_to_do_is_no_work() -> None:
    assert relay.relay() == 0
    assert redis().dbsize() == 0


def test_a_pending_event_is_enqueued_once() -> None:
    ids = publish(3)
    forget(ids, "pending")
    age(ids)

    assert relay.relay() == 3
    assert relay.relay() == 0
    assert redis().llen(QUEUE) == 3


def test_an_event_that_is_being_published_right_now_is_left_to_its_publisher() -> None:
    ids = publish()
    forget(ids, "pending")

    assert relay.relay() == 0


def test_what_redis_missed_in_an_outage_is_there_after_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BATCH", 2)
    ids = publish(9)
    forget(ids, "pending")
    age(ids)

    assert relay.relay() == 9
    assert redis().llen(QUEUE) == 9


def test_two_relays_at_once_make_one_job() -> None:
    ids = publish()
    forget(ids, "pending")
    age(ids)
    first, second = (EventRecord.due(limit=10) for _ in range(2))

    assert [events.enqueue(first), events.enqueue(second)] == [1, 0]
    assert redis().llen(QUEUE) == 1


def test_an_event_whose_job_was_lost_with_redis_is_enqueued_again() -> None:
    ids = publish(2)
    forget(ids, "queued")
    age(ids)

    assert relay.relay() == 2
    assert relay.relay() == 0  # they are known to be in Redis now
    assert redis().llen(QUEUE) == 2


def test_an_event_that_waits_or_is_a_dead_letter_is_left_alone() -> None:
    ids = publish(2)
    age(ids)

    assert relay.relay() == 0
    assert redis().llen(QUEUE) == 2


def test_many_dead_letters_hold_up_no_lost_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BATCH", 2)
    monkeypatch.setattr(relay, "PASSES", 1)
    dead = publish(5)
    lost = publish(1)
    redis().delete(f"rq:job:event-{lost[0]}")
    redis().lrem(QUEUE, 1, f"event-{lost[0]}")
    age([*dead, *lost])

    assert [relay.relay() for _ in range(4)] == [0, 0, 1, 0]


@pytest.mark.timeout(30)
def test_an_event_of_no_record_that_was_given_a_new_job_is_given_up_like_others() -> None:
    """Nobody waits for it, whatever else is about no record."""
    done, given_up = (events.publish(VisitsTracked(workspace_id=str(ObjectId()), visits=[])) for _ in "ab")
    EventRecord.objects.get(id=done).mark_done()
    record = EventRecord.objects.get(id=given_up)
    assert record.begin_anew()
    events.enqueue([record])
    enqueue.cancel(record.job_id)
    age([given_up])

    assert relay.relay() == 0
    assert EventRecord.objects.get(id=given_up).status == "failed"


def test_events_that_an_older_release_ended_hold_up_no_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BATCH", 2)
    monkeypatch.setattr(relay, "PASSES", 1)
    ids = publish(5)
    redis().flushall()
    EventRecord.objects(id__in=ids[:4]).update(set__status="done")  # and nothing else, as it knows of nothing
    age(ids)

    assert [relay.relay() for _ in range(4)] == [0, 0, 1, 0]


def test_a_relayed_event_takes_effect(run_jobs: Callable[[], int]) -> None:
    workspace = Workspace(name="Acme").save()
    ids = [
        events.publish(
            ContactCreated(workspace_id=str(workspace.id), contact_id=str(ObjectId()), source="api")
        )
    ]
    forget(ids, "queued")
    age(ids)
    relay.relay()

    run_jobs()

    assert EventRecord.objects.get(id=ids[0]).status == "done"
    age(ids)
    assert relay.relay() == 0


def test_pending_events_are_put_on_the_queue_in_the_order_of_their_publication() -> None:
    ids = publish(20)
    forget(ids, "pending")
    EventRecord.objects(id__in=ids).update(set__relay_at=store.now())  # all at one moment

    assert relay.relay() == 20
    queued = [as_text(job_id) for job_id in redis().lrange(QUEUE, 0, -1)]
    assert queued == [f"event-{event_id}" for event_id in ids]
