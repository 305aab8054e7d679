"""Order, whatever the interleaving: workers stop before each command, and any of them goes on."""

from __future__ import annotations

import random

import pytest
from bson import ObjectId
from rq.utils import as_text

from consumers import dispatch, registry
from consumers.registry import Delivery
from models.event import OPEN, EventRecord
from publishers import events, turns
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactUpdated
from tests.publishers.interleaved import Baton

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
            dispatch.handle(**given)
            while self._chance.random() < 0.3:  # it is delivered again
                dispatch.handle(**given)
        except dispatch.ReactionsFailed as error:
            self._retry(job_id, given, error)

    def _retry(self, job_id: str, given: dict[str, dict[str, dict[str, str]]], error: Exception) -> None:
        name = given["event"]["payload"]["changed"][0]
        if name in self.dead:
            turns.fail(ObjectId(str(given["event_id"])), str(error))
        else:
            self.failing.discard(name)
            redis().rpush(QUEUE, job_id)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(8, 400))]
)
def test_each_event_is_handled_once_and_in_its_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.load_reactions()
    chance = random.Random(seed)
    ids = {"workspace_id": str(ObjectId()), "contact_id": str(ObjectId())}
    events.publish_all([ContactUpdated(**ids, changed=[name]) for name in NAMES])
    baton = Baton(monkeypatch, chance)
    record = Record(baton, chance)
    monkeypatch.setitem(registry._reactions, "contact.updated", {"note": record.react})

    baton.run([record.work] * WORKERS)

    assert record.overlaps == []
    assert record.seen == [name for name in NAMES if name not in record.dead]
    assert EventRecord.objects(status__in=OPEN).count() == 0
