"""Whatever order, redelivery, death and loss there is: each accepted event has each effect exactly once.

What came of a number of events is compared with what comes of the same events one after the other, without a
fault; and each score with the sum of its signals and of the points of all that happened.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from consumers import dispatch, healing
from models import store
from models.contact import Contact
from models.event import EventRecord
from models.event_window import Window
from publishers import events, replay
from queues.connection import redis
from tests.consumers import chaos, happenings
from tests.consumers.chaos import Faults, Workers
from tests.consumers.happenings import World
from tests.waiting import wait_until

pytestmark = [pytest.mark.usefixtures("stores"), pytest.mark.timeout(600)]

SHOWN = 12  # events that show interest, beside one of each type
MONTH = timedelta(days=30)


def empty() -> None:
    for kind in store.documents():
        kind._get_collection().delete_many({})
    redis().flushall()


def in_peace(seed: int) -> dict[str, Any]:
    """The effects of the same events, one after the other."""
    world = World(seed)
    for place, event in enumerate(world.happenings(SHOWN)):
        events.publish(event)
        if place == SHOWN:
            world.identify()
        chaos.settle()
    found = happenings.effects()
    empty()
    return found


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 60))]
)
def test_every_accepted_event_has_each_effect_exactly_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch.load_reactions()
    expected = in_peace(seed)
    world = World(seed)
    happened = world.happenings(SHOWN)
    healing.heal(store.now())
    faults = Faults(monkeypatch)
    workers = Workers(seed, faults)
    with workers.at_work():
        for place, event in enumerate(happened):
            publish(event, random.Random(seed + place))
            if place == SHOWN:
                world.identify()
        wait_until(lambda: workers.died > 10 and workers.repeated > 5, timeout=60)
        redis().flushall()
    chaos.heal()
    chaos.settle()

    found = happenings.effects()
    assert happenings.difference(found, expected) == {}
    assert_scores_are_right(world, happened)

    assert sum(step.replayed for step in replay.replay(Window(), per_second=500)) == 0
    replay_a_month_that_nobody_remembers(seed)
    assert happenings.effects() == found
    assert_scores_are_right(world, happened)


def publish(event: Any, chance: random.Random) -> None:
    """As a web process does; Redis is away now and then."""
    with pytest.MonkeyPatch.context() as patch:
        if chance.random() < 0.2:
            patch.setattr(events, "put_on_queue", lambda *_, **__: 0)
        events.publish(event)


def assert_scores_are_right(world: World, happened: list[Any]) -> None:
    people = [Contact.objects.get(id=person.id) for person in world.people]
    for person in people:
        signals = person.intent.signals if person.intent else {}
        assert (person.intent_score or 0) == sum(signal.points for signal in signals.values())
    assert {str(person.id): person.intent_score or 0 for person in people} == world.scores(happened)
    assert [problem for person in people for problem in happenings.crossings(person)] == []


def replay_a_month_that_nobody_remembers(seed: int) -> None:
    """Every event of the last month once more, in any order, as if no reaction had been recorded."""
    chance, now = random.Random(seed), store.now()
    redis().flushall()
    for record in EventRecord.objects:
        forgotten = {"reactions": {}, "status": "pending", "accepted_at": now - MONTH * chance.random()}
        change = {"$set": forgotten, "$unset": {"handed_on": ""}}
        EventRecord._get_collection().update_one({"_id": record.id}, change)
    records = list(EventRecord.objects)
    chance.shuffle(records)
    events.put_on_queue(records)
    chaos.settle()
