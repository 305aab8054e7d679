"""Replay: what is not done is handled again, and what took effect is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from consumers import dispatch, registry
from consumers.registry import Delivery
from models import store
from models.event import EventRecord
from models.event_window import Count, Window
from publishers import events, replay
from queues import dead_letters
from queues.connection import redis
from schemas import event as schema
from schemas.contact import ContactCreated, ContactUpdated

pytestmark = pytest.mark.usefixtures("stores")

WORKSPACE = str(ObjectId())
ALL = Window()


class Hopeless(Exception):
    permanent = True


class Effects:
    """Two reactions to `contact.updated` that note what they did; the second fails for what it is told to."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.failing: set[str] = set()

    def first(self, event: ContactUpdated, _delivery: Delivery) -> None:
        self.done.append(("first", event.changed[0]))

    def second(self, event: ContactUpdated, _delivery: Delivery) -> None:
        if event.changed[0] in self.failing:
            raise Hopeless("the vendor is away")
        self.done.append(("second", event.changed[0]))


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch) -> Effects:
    dispatch.load_reactions()
    found = Effects()
    table = {"first": found.first, "second": found.second}
    monkeypatch.setitem(registry._reactions, "contact.updated", table)
    return found


def publish(*names: str, contact: str | None = None) -> list[str]:
    return events.publish_all(
        [
            ContactUpdated(workspace_id=WORKSPACE, contact_id=contact or str(ObjectId()), changed=[name])
            for name in names
        ]
    )


def run(window: Window = ALL) -> tuple[int, int]:
    """How many events a replay saw, and how many it put on the queue."""
    steps = list(replay.replay(window, per_second=1_000))
    return sum(step.seen for step in steps), sum(step.replayed for step in steps)


def statuses(ids: list[str]) -> list[str]:
    return [EventRecord.objects.get(id=event_id).status for event_id in ids]


def test_replaying_what_is_done_changes_nothing(effects: Effects, run_jobs: Callable[[], int]) -> None:
    publish(*map(str, range(30)))
    run_jobs()
    ledger, done = [record.to_mongo() for record in EventRecord.objects], list(effects.done)

    assert run() == (0, 0)
    assert run_jobs() == 0
    assert effects.done == done
    assert [record.to_mongo() for record in EventRecord.objects] == ledger


def test_of_a_failed_event_only_what_did_not_succeed_is_done_again(
    effects: Effects, run_jobs: Callable[[], int]
) -> None:
    effects.failing = {"b"}
    ids = publish("a", "b")
    run_jobs()
    assert statuses(ids) == ["done", "failed"]

    effects.failing.clear()
    assert run() == (1, 1)
    run_jobs()
    assert statuses(ids) == ["done", "done"]
    assert sorted(effects.done) == [("first", "a"), ("first", "b"), ("second", "a"), ("second", "b")]
    assert dead_letters.count() == 0


def test_events_of_a_release_whose_ledger_the_relay_cannot_read_are_handled_in_their_order(
    effects: Effects, run_jobs: Callable[[], int]
) -> None:
    ids = publish(*"abc", contact=str(ObjectId()))
    redis().flushall()
    EventRecord.objects(id__in=ids).update(unset__turn=True, unset__relay_at=True)

    assert run() == (3, 3)
    run_jobs()
    assert statuses(ids) == ["done"] * 3
    assert [what for name, what in effects.done if name == "first"] == ["a", "b", "c"]


def test_events_as_release_0_1_stored_them_are_handled(effects: Effects, run_jobs: Callable[[], int]) -> None:
    ids = publish(*"abc", contact=str(ObjectId()))
    redis().flushall()
    later = ("depth", "subject", "position", "runs", "turn", "relay_at")
    EventRecord.objects(id__in=ids).update(**{f"unset__{name}": True for name in later})

    assert run() == (3, 3)
    run_jobs()
    assert statuses(ids) == ["done"] * 3
    assert sorted(what for name, what in effects.done if name == "first") == ["a", "b", "c"]


def test_a_failed_event_whose_dead_letter_was_purged_gets_a_new_job(
    effects: Effects, run_jobs: Callable[[], int]
) -> None:
    effects.failing = {"a"}
    (event_id,) = publish("a")
    run_jobs()
    dead_letters.purge([f"event-{event_id}"])
    effects.failing.clear()

    assert run() == (1, 1)
    run_jobs()
    assert statuses([event_id]) == ["done"]
    assert effects.done == [("first", "a"), ("second", "a")]


def test_events_whose_redis_was_lost_are_handled(effects: Effects, run_jobs: Callable[[], int]) -> None:
    ids = publish("a", "b", "c")
    redis().flushall()

    assert run() == (3, 3)
    run_jobs()
    assert statuses(ids) == ["done"] * 3


def test_what_is_on_the_queue_is_left_to_its_job(effects: Effects, run_jobs: Callable[[], int]) -> None:
    publish("a", "b")

    assert run() == (2, 0)
    run_jobs()
    assert sorted(effects.done) == [("first", "a"), ("first", "b"), ("second", "a"), ("second", "b")]


def test_replaying_twice_at_once_does_each_thing_once(effects: Effects, run_jobs: Callable[[], int]) -> None:
    effects.failing = {"a"}
    publish("a", "b")
    run_jobs()
    effects.failing.clear()

    run(), run()
    run_jobs()
    assert sorted(effects.done) == [("first", "a"), ("first", "b"), ("second", "a"), ("second", "b")]


def test_the_failed_events_of_one_record_are_handled_in_their_order(
    effects: Effects, run_jobs: Callable[[], int]
) -> None:
    names = list("abcdef")
    effects.failing = set(names)
    ids = publish(*names, contact=str(ObjectId()))
    run_jobs()
    assert statuses(ids) == ["failed"] * 6
    dead_letters.purge([f"event-{event_id}" for event_id in ids[::2]])  # half of them get new jobs
    effects.failing.clear()

    run()
    run_jobs()
    assert [name for reaction, name in effects.done if reaction == "second"] == names


def test_an_event_that_was_unknown_is_a_dead_letter_with_the_reason_and_is_handled_after_the_deploy(
    effects: Effects, run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (event_id,) = _from_the_future("contact.updated", 2)
    run_jobs()
    record = EventRecord.objects.get(id=event_id)
    assert record.status == "failed"
    assert "event 'contact.updated' version 2 is unknown here (known versions: [1])" in record.error
    assert dead_letters.count("crm-events") == 1

    _deploy(monkeypatch)
    assert run() == (1, 1)
    run_jobs()
    assert statuses([event_id]) == ["done"]
    assert effects.done == [("first", "x"), ("second", "x")]


def test_an_unknown_type_holds_up_no_other_event_of_its_record(
    effects: Effects, run_jobs: Callable[[], int]
) -> None:
    contact = str(ObjectId())
    (unknown,) = _from_the_future("contact.vanished", 1, contact)
    (known,) = publish("a", contact=contact)
    run_jobs()

    assert statuses([unknown, known]) == ["failed", "done"]


def test_only_events_of_the_window_are_replayed(effects: Effects, run_jobs: Callable[[], int]) -> None:
    old, new = publish("old", "new")
    then = datetime(2026, 2, 4, tzinfo=UTC)
    EventRecord.objects(id=old).update_one(set__accepted_at=then)
    created = ContactCreated(workspace_id=WORKSPACE, contact_id=str(ObjectId()), source="api")
    other = events.publish(created)
    redis().flushall()

    def found(**window: Any) -> list[str]:
        return [str(event_id) for event_id in Window(**window).unfinished()]

    day = timedelta(days=1)
    assert found() == [old, new, other]
    assert found(types=("contact.created",)) == [other]
    assert found(until=then + day) == [old]
    assert found(until=then) == []
    assert found(since=then, until=then + day) == [old]
    assert found(since=then + day, types=("contact.updated",)) == [new]
    assert Window(since=then + day).census() == [
        Count("contact.created", 1, "pending", 1),
        Count("contact.updated", 1, "pending", 1),
    ]


@pytest.mark.parametrize(("per_second", "pauses"), [(2, [1.0, 1.0]), (4, [1.0]), (100, [])])
def test_a_replay_keeps_to_its_pace(effects: Effects, per_second: int, pauses: list[float]) -> None:
    publish("a", "b", "c", "d", "e")
    redis().flushall()
    slept: list[float] = []
    steps = list(replay.replay(ALL, per_second, pause=slept.append))

    assert sum(step.replayed for step in steps) == 5
    assert max(step.seen for step in steps) <= per_second
    assert slept == pauses


def test_what_is_unfinished_never_expires_and_what_is_done_does(
    effects: Effects, run_jobs: Callable[[], int]
) -> None:
    effects.failing = {"failed"}
    ids = publish("done", "failed")
    run_jobs()
    ids += publish("queued")
    done, *others = (EventRecord.objects.get(id=event_id) for event_id in ids)

    assert timedelta(days=89) < done.expires_at - store.now() <= timedelta(days=90)
    assert [record.expires_at for record in others] == [None, None]
    index = EventRecord._get_collection().index_information()["expires_at_1"]
    assert (index["key"], index["expireAfterSeconds"]) == ([("expires_at", 1)], 0)


def _from_the_future(name: str, version: int, contact: str | None = None) -> list[str]:
    """As a publisher of a newer release stores an event."""
    ids = publish("x", contact=contact)
    redis().flushall()
    for event_id in ids:
        record = EventRecord.objects.get(id=event_id)
        record.modify(type=name, version=version)
        events.put_on_queue([record])
    return ids


def _deploy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose `contact.updated` has a second version."""

    class Newer(ContactUpdated):
        version = 2

    monkeypatch.setattr(schema, "_classes", {**schema._classes, "contact.updated": Newer})


def test_an_event_that_is_handled_after_another_one_is_left_to_that_one_s_job(
    effects: Effects, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = publish("a", "b", contact=str(ObjectId()))
    dispatch.handle(second, EventRecord.objects.get(id=second).envelope())  # it waits
    replayed: list[int] = []

    def react(event: ContactUpdated, delivery: Delivery) -> None:
        if event.changed == ["b"]:
            replayed.extend(step.replayed for step in replay.replay(ALL, per_second=100))
        effects.first(event, delivery)

    monkeypatch.setitem(registry._reactions, "contact.updated", {"first": react})
    dispatch.handle(first, EventRecord.objects.get(id=first).envelope())

    assert replayed == [0]
    assert effects.done == [("first", "a"), ("first", "b")]
