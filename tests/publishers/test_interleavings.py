"""Order, whatever the interleaving: workers stop before each command, and any of them goes on."""

from __future__ import annotations

import random
from typing import Any

import pytest
from bson import ObjectId
from rq.utils import as_text

from consumers import dispatch, registry
from consumers.registry import Delivery
from models.event import OPEN, EventRecord
from publishers import events, relay, turns
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactUpdated
from tests.publishers.ageing import make_due
from tests.publishers.interleaved import Baton, Killed

pytestmark = pytest.mark.usefixtures("stores")

QUEUE = "rq:queue:crm-events"
WORKERS = 3
IDLE = 30  # looks at an empty queue after which a worker stops
NAMES = [str(number) for number in range(7)]


class Record:
    """Workers on the events of one contact: what its reaction saw, and whether two ran side by side."""

    def __init__(self, baton: Baton, chance: random.Random) -> None:
        self._baton, self._chance = baton, chance
        self.failing = {name for name in NAMES if chance.random() < 0.2}
        self.dead = {name for name in NAMES if chance.random() < 0.1}
        self.seen: list[str] = []
        self.overlaps: list[str] = []
        self._running: list[str] = []

    def react(self, event: ContactUpdated, _: Delivery) -> None:
        name = event.changed[0]
        self.overlaps += self._running
        self._running.append(name)
        self._baton.pause()
        self._running.remove(name)
        if name in self.failing | self.dead:
            raise ConnectionError(f"{name} fails")
        self.seen.append(name)

    def work(self) -> None:
        idle = 0
        while idle < IDLE:
            self._baton.pause()
            if waiting := [str(as_text(job_id)) for job_id in redis().lrange(QUEUE, 0, -1)]:
                self._take(self._chance.choice(waiting))
            idle = 0 if waiting else idle + 1

    def _take(self, job_id: str) -> None:
        redis().lrem(QUEUE, 1, job_id)
        given = Job.fetch(job_id, connection=redis()).kwargs
        try:
            self._handle(job_id, given)
        except Killed:
            redis().rpush(QUEUE, job_id)

    def _handle(self, job_id: str, given: dict[str, Any]) -> None:
        try:
            dispatch.handle(**given)
            while self._chance.random() < 0.3:  # it is delivered again
                dispatch.handle(**given)
        except dispatch.ReactionsFailed as error:
            self._retry(job_id, given, error)

    def _retry(self, job_id: str, given: dict[str, Any], error: Exception) -> None:
        name = given["event"]["payload"]["changed"][0]
        if name in self.dead:
            turns.fail(ObjectId(given["event_id"]), str(error))
        else:
            self.failing.discard(name)
            redis().rpush(QUEUE, job_id)


SEEDS = [*range(5), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(5, 400))]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_event_is_handled_once_and_in_its_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    record = at_work(seed, monkeypatch, deadly=0.0)

    assert record.overlaps == []
    assert record.seen == [name for name in NAMES if name not in record.dead]
    assert EventRecord.objects(status__in=OPEN).count() == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_who_dies_repeats_an_event_at_most_before_the_next(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = at_work(seed, monkeypatch, deadly=0.03)
    while EventRecord.objects(status__in=OPEN).count():
        make_due()
        assert relay.relay()
        record.work()

    assert record.overlaps == []
    assert record.seen == sorted(record.seen)
    assert [*dict.fromkeys(record.seen)] == [name for name in NAMES if name not in record.dead]


def at_work(seed: int, monkeypatch: pytest.MonkeyPatch, *, deadly: float) -> Record:
    dispatch.load_reactions()
    chance = random.Random(seed)
    ids = {"workspace_id": str(ObjectId()), "contact_id": str(ObjectId())}
    events.publish_all([ContactUpdated(**ids, changed=[name]) for name in NAMES])
    baton = Baton(monkeypatch, chance, deadly)
    record = Record(baton, chance)
    if deadly:  # a dead letter whose worker died may come once more, and gives way
        record.dead.clear()
    monkeypatch.setitem(registry._reactions, "contact.updated", {"note": record.react})
    baton.run([record.work] * WORKERS)
    return record
