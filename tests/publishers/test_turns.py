"""Order: the events of one record are handled one after the other, as they were published."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from bson import ObjectId
from rq.exceptions import AbandonedJobError
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry
from rq.utils import as_text

import queues.enqueue
from consumers import dispatch, registry
from consumers.registry import Delivery
from models.event import OPEN, EventRecord
from publishers import events, positions, relay, turns
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactUpdated
from tests.killing import Killed
from tests.publishers.ageing import age

pytestmark = pytest.mark.usefixtures("stores")

WORKSPACE = str(ObjectId())
QUEUE = "rq:queue:crm-events"


class Record:
    """A reaction to `contact.updated` that notes what it saw of each contact, and fails as told."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = defaultdict(list)
        self.failing: set[str] = set()
        self.running: set[str] = set()
        self.overlaps: list[str] = []
        self._lock = threading.Lock()

    def react(self, event: ContactUpdated, _delivery: Delivery) -> None:
        contact, what = event.contact_id, event.changed[0]
        with self._lock:
            if contact in self.running:
                self.overlaps.append(what)
            self.running.add(contact)
        try:
            if what in self.failing:
                raise ConnectionError(f"{what} fails")
            self.seen[contact].append(what)
        finally:
            self.running.discard(contact)


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    dispatch.load_reactions()
    found = Record()
    monkeypatch.setitem(registry._reactions, "contact.updated", {"note": found.react})
    return found


def updated(contact: str, what: str) -> ContactUpdated:
    return ContactUpdated(workspace_id=WORKSPACE, contact_id=contact, changed=[what])


def publish(contact: str, *names: str) -> list[str]:
    return events.publish_all([updated(contact, name) for name in names])


def deliver(event_id: str) -> None:
    dispatch.handle(event_id, stored(event_id).envelope())


def stored(event_id: str) -> EventRecord:
    found: EventRecord = EventRecord.objects.get(id=event_id)
    return found


def statuses(ids: list[str]) -> list[str]:
    return [stored(event_id).status for event_id in ids]


def queued() -> list[str]:
    return [str(as_text(job_id)) for job_id in redis().lrange(QUEUE, 0, -1)]


@pytest.fixture
def contact() -> str:
    return str(ObjectId())


def test_an_event_that_comes_too_early_waits_and_is_handled_by_the_job_of_the_one_before_it(
    record: Record, contact: str
) -> None:
    first, second, third = publish(contact, "a", "b", "c")
    redis().delete(QUEUE)
    deliver(third)
    deliver(second)
    assert record.seen == {}
    assert statuses([first, second, third]) == ["pending", "waiting", "waiting"]

    deliver(first)
    assert record.seen == {contact: ["a", "b", "c"]}
    assert statuses([first, second, third]) == ["done"] * 3
    assert queued() == []


def test_a_job_goes_on_with_so_many_and_then_puts_the_next_in_front(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MOST_FOLLOWING", 1)
    ids = publish(contact, "a", "b", "c", "d")
    for event_id in ids[1:]:
        deliver(event_id)
    deliver(ids[0])

    assert record.seen == {contact: ["a", "b"]}
    assert queued()[0] == f"event-{ids[2]}-1"
    deliver(ids[2])
    assert record.seen == {contact: ["a", "b", "c", "d"]}


def test_a_following_event_that_fails_is_retried_in_a_job_of_its_own_and_holds_the_later_ones(
    record: Record, contact: str
) -> None:
    first, second, third = publish(contact, "a", "b", "c")
    record.failing = {"b"}
    deliver(second)
    deliver(third)
    redis().delete(QUEUE)
    deliver(first)
    assert statuses([first, second, third]) == ["done", "queued", "waiting"]
    assert queued() == [f"event-{second}-1"]

    record.failing.clear()
    deliver(second)
    assert record.seen == {contact: ["a", "b", "c"]}


def die_with_the_next(event_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job ends the event, and dies with the following one."""
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "_handle_following", _die)
        with pytest.raises(Killed):
            deliver(event_id)


def test_who_dies_while_it_handles_the_next_gives_it_a_job_when_it_comes_back(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = publish(contact, "a", "b")
    deliver(second)
    redis().delete(QUEUE)
    die_with_the_next(first, monkeypatch)
    deliver(first)

    assert queued() == [f"event-{second}-1"]
    deliver(second)
    assert record.seen == {contact: ["a", "b"]}


def test_a_dead_letter_that_died_with_the_next_gives_it_a_job(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = publish(contact, "a", "b", "c")
    deliver(second)
    deliver(third)
    redis().delete(QUEUE)
    die_with_the_next(first, monkeypatch)
    job: Any = Job.fetch(f"event-{first}", connection=redis())
    dispatch.mark_abandoned(job, AbandonedJobError)

    assert queued() == [f"event-{second}-1"]
    assert statuses([first, second, third]) == ["done", "queued", "waiting"]
    deliver(second)
    assert record.seen == {contact: ["a", "b", "c"]}


def test_who_comes_back_leaves_alone_what_another_job_is_handling(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = publish(contact, "a", "b", "c")
    late = stored(second).envelope()
    deliver(second)
    deliver(third)
    redis().delete(QUEUE)

    def react(event: ContactUpdated, delivery: Delivery) -> None:
        if event.changed == ["c"]:
            dispatch.handle(second, late)  # its own job comes again, on another worker
        record.react(event, delivery)

    monkeypatch.setitem(registry._reactions, "contact.updated", {"note": react})
    deliver(first)
    assert record.seen == {contact: ["a", "b", "c"]}
    assert queued() == []


def test_other_records_and_events_of_none_do_not_wait(record: Record, contact: str) -> None:
    publish(contact, "a")
    other = str(ObjectId())
    (event_id,) = publish(other, "x")
    deliver(event_id)

    assert record.seen == {other: ["x"]}


def test_a_retry_of_an_earlier_event_holds_the_later_ones(record: Record, contact: str) -> None:
    first, second = publish(contact, "a", "b")
    record.failing = {"a"}
    with pytest.raises(dispatch.ReactionsFailed):
        deliver(first)
    deliver(second)
    assert record.seen == {}

    record.failing.clear()
    deliver(first)
    deliver(second)
    assert record.seen == {contact: ["a", "b"]}


def test_an_event_whose_earlier_one_never_reached_redis_waits_for_the_relay(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> int:
        raise queues.enqueue.RedisError("away")

    with monkeypatch.context() as patched:
        patched.setattr("queues.enqueue.enqueue_many", away)
        (first,) = publish(contact, "a")
    (second,) = publish(contact, "b")
    deliver(second)
    assert statuses([first, second]) == ["pending", "waiting"]

    age([first])
    assert relay.relay() == 1
    deliver(first)
    deliver(second)
    assert record.seen == {contact: ["a", "b"]}


def test_a_dead_letter_gives_way_and_is_handled_late(
    record: Record, contact: str, run_jobs: Callable[[], int]
) -> None:
    first, second = publish(contact, "a", "b")
    record.failing = {"a"}
    _no_retries(first)
    run_jobs()
    assert statuses([first, second]) == ["failed", "done"]
    assert record.seen == {contact: ["b"]}

    record.failing.clear()
    later = publish(contact, "c")
    FailedJobRegistry("crm-events", connection=redis(), job_class=Job).requeue(f"event-{first}")
    run_jobs()
    assert statuses([first, second, *later]) == ["done"] * 3
    assert sorted(record.seen[contact]) == ["a", "b", "c"]


@pytest.mark.timeout(30)
def test_an_event_that_an_older_release_ended_is_waited_for_by_none(record: Record, contact: str) -> None:
    ids = publish(contact, "a", "b")
    EventRecord.objects(id=ids[0]).update_one(set__status="done")  # and nothing else, as it knows of nothing
    deliver(ids[1])
    assert record.seen[contact] == ["b"]


def test_a_dead_letter_wakes_who_waits_for_it(record: Record, contact: str) -> None:
    first, second = publish(contact, "a", "b")
    deliver(second)
    redis().delete(QUEUE)
    turns.fail(ObjectId(first), "hopeless")

    assert queued() == [f"event-{second}-1"]
    deliver(second)
    assert record.seen == {contact: ["b"]}


def test_a_requeued_dead_letter_waits_for_none(record: Record, contact: str) -> None:
    first, second = publish(contact, "a", "b")
    turns.fail(ObjectId(second), "hopeless")
    deliver(second)

    assert record.seen == {contact: ["b"]}
    assert statuses([first, second]) == ["pending", "done"]


def test_who_dies_between_its_end_and_waking_the_next_does_it_when_it_comes_back(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = publish(contact, "a", "b")
    deliver(second)
    redis().delete(QUEUE)
    with monkeypatch.context() as patched:
        patched.setattr(turns, "_next", _die)
        with pytest.raises(Killed):
            deliver(first)
    assert statuses([first, second]) == ["done", "waiting"]

    deliver(first)
    assert queued() == [f"event-{second}-1"]
    assert record.seen == {contact: ["a"]}


def test_the_relay_wakes_who_was_forgotten(
    record: Record, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = publish(contact, "a", "b", "c")
    deliver(ids[1])
    deliver(ids[2])
    redis().flushall()
    with monkeypatch.context() as patched:
        patched.setattr(turns, "_next", _die)
        with pytest.raises(Killed):
            deliver(ids[0])
    assert relay.relay() == 0
    age(ids)

    assert relay.relay() == 1
    assert queued() == [f"event-{ids[1]}-1"]
    assert relay.relay() == 0


def test_a_job_that_comes_back_after_its_event_was_handled_by_another_leaves_it_alone(
    record: Record, contact: str
) -> None:
    first, second = publish(contact, "a", "b")
    early = stored(second).envelope()
    dispatch.handle(second, early)
    deliver(first)
    EventRecord.objects(id=second).update_one(set__status="queued")  # as if it was being handled just now
    dispatch.handle(second, early)

    assert record.seen == {contact: ["a", "b"]}


def test_a_cancelled_job_holds_up_its_record_no_longer_than_the_relay_takes(
    record: Record, contact: str
) -> None:
    first, second = publish(contact, "a", "b")
    queues.enqueue.cancel(f"event-{first}")
    deliver(second)
    redis().delete(QUEUE)
    age([first])

    assert relay.relay() == 0
    assert stored(first).error == "its job was cancelled"
    assert queued() == [f"event-{second}-1"]


def test_waking_twice_makes_one_job(record: Record, contact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = publish(contact, "a", "b")
    deliver(second)
    redis().delete(QUEUE)
    with monkeypatch.context() as patched:
        patched.setattr(turns, "_next", _die)
        with pytest.raises(Killed):
            deliver(first)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turns.pass_on, [f"{WORKSPACE}:contact:{contact}"] * 8))

    assert queued() == [f"event-{second}-1"]


def test_the_order_of_a_batch_and_of_all_that_follows_is_that_of_publishing(contact: str) -> None:
    ids = [*publish(contact, *"abc"), *publish(contact, *"de"), *publish(contact, "f")]
    places = [stored(event_id).position for event_id in ids]

    assert places == sorted(set(places))


def test_positions_are_never_given_twice() -> None:
    with ThreadPoolExecutor(8) as pool:
        given = [place for some in pool.map(lambda _: positions.next_ones(50), range(100)) for place in some]

    assert len(set(given)) == 5_000


def test_an_event_costs_the_same_however_many_its_record_had(
    record: Record, contact: str, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    def cost() -> list[str]:
        (event_id,) = publish(contact, "x")
        envelope = stored(event_id).envelope()
        with count_store_commands() as names:
            dispatch.handle(event_id, envelope)
        return names

    before = cost()
    for event_id in publish(contact, *map(str, range(60))):
        deliver(event_id)

    assert cost() == before == ["find", "update"]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_each_record_sees_its_events_once_and_in_order(record: Record, seed: int) -> None:
    """Workers on threads, jobs in any order, retries, dead letters, redeliveries and deaths after the end."""
    chance = random.Random(seed)
    contacts = [str(ObjectId()) for _ in range(4)]
    names: dict[str, list[str]] = defaultdict(list)
    for number in range(60):
        one = chance.choice(contacts)
        names[one].append(f"{number}")
        publish(one, f"{number}")
    dead = {str(number) for number in chance.sample(range(60), 5)}
    record.failing = dead | {str(number) for number in chance.sample(range(60), 8)}

    _work(record, dead, chance)

    assert EventRecord.objects(status__in=OPEN).count() == 0
    assert EventRecord.objects(status="failed").count() == len(dead)
    for one in contacts:
        assert record.seen[one] == [name for name in names[one] if name not in dead]
    assert record.overlaps == []


def _work(record: Record, dead: set[str], chance: random.Random) -> None:
    """Six threads take jobs in any order until there are none; what fails is retried or a dead letter."""
    lock, running = threading.Lock(), 0

    def take() -> str | None:
        with lock:
            waiting = queued()
            if not waiting:
                return None
            job_id = chance.choice(waiting[:12])
            redis().lrem(QUEUE, 1, job_id)
            return job_id

    def work(_: int) -> None:
        nonlocal running
        while True:
            with lock:
                running += 1
            job_id = take()
            if job_id:
                _run(record, Job.fetch(job_id, connection=redis()), dead, lock, chance)
            with lock:
                running -= 1
                if not job_id and not running:
                    return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


def _run(record: Record, job: RqJob, dead: set[str], lock: threading.Lock, chance: random.Random) -> None:
    name = job.kwargs["event"]["payload"]["changed"][0]
    with lock:
        again = chance.random() < 0.2
    try:
        dispatch.handle(**job.kwargs)
        if again:
            dispatch.handle(**job.kwargs)
    except dispatch.ReactionsFailed as error:
        if name in dead:
            turns.fail(ObjectId(job.kwargs["event_id"]), str(error))
        else:
            record.failing.discard(name)
            redis().rpush(QUEUE, job.id)


def _die(*_: Any) -> bool:
    raise Killed


def _no_retries(event_id: str) -> None:
    redis().hset(f"rq:job:event-{event_id}", "retries_left", 0)
