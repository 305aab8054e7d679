"""Whoever publishes or handles an event may die at any command to the store and to Redis.

`test_exactly_once` draws deaths from a seed; here each place where one can die is tried, one after the other.
"""

from __future__ import annotations

from typing import Any

import pytest

from consumers import dispatch
from models import store
from models.event import EventRecord
from publishers import events
from queues.connection import redis
from schemas.event import Event, catalogue
from tests import killing
from tests.consumers import chaos, happenings
from tests.consumers.happenings import World

pytestmark = pytest.mark.usefixtures("stores")

QUICK = "visits.tracked"  # which publishes others


class Happening:
    """One event in a world that is the same each time."""

    def __init__(self, kind: str):
        self._kind = kind
        self._event: Event | None = None

    def prepare(self) -> None:
        for document in store.documents():
            document._get_collection().delete_many({})
        redis().flushall()
        self._event = next(each for each in World(1).happenings(0) if each.type == self._kind)

    def work(self) -> None:
        """Publish it, as a client that tries again until it is told that the event was accepted."""
        assert self._event
        if not EventRecord.objects(type=self._kind).first():
            events.publish(self._event)
        chaos.settle()


@pytest.mark.parametrize(
    "kind",
    [QUICK, *(pytest.param(kind, marks=pytest.mark.soak) for kind in catalogue() if kind != QUICK)],
)
@pytest.mark.timeout(600)
def test_a_death_at_any_command_leaves_each_effect_to_happen_once(kind: str) -> None:
    dispatch.load_reactions()
    happening = Happening(kind)
    happening.prepare()
    happening.work()
    expected = happenings.effects()

    def check() -> None:
        assert happenings.difference(happenings.effects(), expected) == dict[str, Any]()

    assert killing.everywhere(happening.prepare, happening.work, check) > 10
