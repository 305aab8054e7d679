"""Redis at its `maxmemory` with `noeviction`: events stay pending, the worker goes on with what it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bson import ObjectId

from models.event import EventRecord
from publishers import events
from queues.connection import redis
from queues.enqueue import enqueue_many
from schemas.contact import ContactUpdated
from tests.faults.conftest import StartWorker, assert_nothing_is_under_way, has_finished, new_job, status_of
from tests.faults.ledger import Ledger
from tests.faults.processes import Nursery
from tests.publishers.ageing import make_due
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("profile")

EVENTS = 5
KINDS = ("work", "fail")


@pytest.fixture
def redis_without_limit(stores: None) -> Iterator[None]:
    """In the end, whatever the test has made of it."""
    yield
    redis().config_set("maxmemory", 0)


def fill() -> None:
    """From now on Redis holds twice as much as it may."""
    redis().config_set("maxmemory", redis().info("memory")["used_memory"] // 2)


def make_room() -> None:
    redis().config_set("maxmemory", 0)


def published() -> set[str]:
    return {record.status for record in EventRecord.objects}


def have_ended(ids: list[str]) -> bool:
    return all(
        status_of(job_id) == "failed" if job_id.startswith("fail") else has_finished(job_id) for job_id in ids
    )


def test_a_full_redis_keeps_events_pending_and_the_worker_goes_on(
    redis_without_limit: None, start_worker: StartWorker, nursery: Nursery, ledger: Ledger, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    worker = start_worker()
    running = [f"held-{n}" for n in range(3)]
    waiting = [f"{kind}-{n}" for n in range(20) for kind in KINDS]
    enqueue_many([new_job("wait_for_file", job_id, path=str(gate)) for job_id in running])
    wait_until(lambda: ledger.count("start") == dict.fromkeys(running, 1))
    enqueue_many([new_job(job_id.split("-")[0], job_id) for job_id in waiting])
    fill()

    workspace, contact = str(ObjectId()), str(ObjectId())
    for number in range(EVENTS):
        events.publish(ContactUpdated(workspace_id=workspace, contact_id=contact, changed=[str(number)]))
    assert EventRecord.objects.count() == EVENTS
    assert published() == {"pending"}

    gate.touch()
    wait_until(lambda: have_ended(running + waiting), what="the end of all jobs")
    make_room()
    assert ledger.repeated_without_cause(set()) == []

    make_due()
    nursery.start("scheduler")
    wait_until(lambda: published() == {"done"}, timeout=20, what="the events' reactions")
    assert worker.code() is None
    assert_nothing_is_under_way()
