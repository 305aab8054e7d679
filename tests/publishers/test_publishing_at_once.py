"""Several publish about the same record at once, while workers and the relay are busy with it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bson import ObjectId

from consumers import dispatch, registry
from consumers.registry import Delivery
from models import store
from models.event import OPEN, PENDING, WAITING, EventRecord
from publishers import events, relay
from queues.connection import redis
from schemas.contact import ContactUpdated
from tests.killing import Killed
from tests.publishers.ageing import make_due
from tests.publishers.interleaved import Baton
from tests.publishers.test_interleavings import QUEUE, SEEDS, Record

pytestmark = pytest.mark.usefixtures("stores")

ROOT = Path(__file__).parents[2]
COUNT = 30
WORKSPACE, CONTACT = str(ObjectId()), str(ObjectId())
MINE = {name: [f"{name}{number}" for number in range(4)] for name in ("a", "b")}


def test_processes_that_publish_the_same_make_one_event_of_each_handled_once_and_in_order(
    run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "tests.publishers.publishing", WORKSPACE, CONTACT, str(COUNT)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, cwd=ROOT, env=os.environ, text=True, **pipe) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60) and process.returncode for process in processes] == [0, 0]
    assert redis().llen(QUEUE) == EventRecord.objects.count() == COUNT

    seen: list[str] = []

    def react(event: ContactUpdated, _: Delivery) -> None:
        seen.append(event.changed[0])

    dispatch.load_reactions()
    monkeypatch.setitem(registry._reactions, "contact.updated", {"note": react})
    run_jobs()
    assert seen == [str(number) for number in range(COUNT)]
    assert EventRecord.objects(status="done").count() == COUNT


def publish(name: str) -> None:
    """In its order, as clients do whose request died: they ask again until it is accepted."""
    for what in MINE[name]:
        event = ContactUpdated(workspace_id=WORKSPACE, contact_id=CONTACT, changed=[what])
        while True:
            try:
                events.publish(event, key=f"test:{what}")
                break
            except Killed:
                continue


def keep_relaying() -> None:
    """Sooner than it would; but of what is queued it knows that no job can still be at it."""
    for _ in range(8):
        try:
            EventRecord.objects(status__in=[PENDING, WAITING]).update(set__relay_at=store.now())
            relay.relay()
        except Killed:
            continue


@pytest.mark.parametrize("deadly", [0.0, 0.03], ids=["nobody dies", "some die"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_published_while_workers_and_the_relay_are_busy_is_handled_in_its_publishers_order(
    seed: int, deadly: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch.load_reactions()
    chance = random.Random(seed)
    baton = Baton(monkeypatch, chance, deadly)
    record = Record(baton, chance)
    record.failing = {what for names in MINE.values() for what in names if chance.random() < 0.2}
    monkeypatch.setitem(registry._reactions, "contact.updated", {"note": record.react})
    publishers = [lambda: publish("a"), lambda: publish("b")]
    baton.run([*publishers, record.work, record.work, keep_relaying])
    while EventRecord.objects(status__in=OPEN).count():
        make_due()
        assert relay.relay()
        record.work()

    once = [*dict.fromkeys(record.seen)]
    assert record.overlaps == []
    assert {name: [what for what in once if what.startswith(name)] for name in MINE} == MINE
    assert EventRecord.objects(status="done").count() == len(once) == 8
    if not deadly:
        assert record.seen == once
