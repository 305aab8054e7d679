"""A worker that starts while Redis is at its `maxmemory` runs what waits; with room again it registers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import config
from queues import heartbeats, profiles, retention
from queues.connection import connect, redis
from queues.enqueue import enqueue_many
from tests.faults.conftest import name_of, new_job
from tests.faults.ledger import Ledger
from tests.faults.processes import Nursery
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("profile")


@pytest.fixture
def redis_without_limit(stores: None) -> Iterator[None]:
    """In the end, whatever the test has made of it."""
    yield
    make_room()


def fill() -> None:
    """From now on Redis holds twice as much as it may."""
    redis().config_set("maxmemory", redis().info("memory")["used_memory"] // 2)


def make_room() -> None:
    redis().config_set("maxmemory", 0)


def test_a_worker_that_starts_while_redis_is_full_runs_what_waits_and_says_so_once(
    redis_without_limit: None, nursery: Nursery, ledger: Ledger, profile: str
) -> None:
    enqueue_many([new_job("work", f"waits-{n}") for n in range(10)])
    fill()
    worker = nursery.start("worker", QUEUE_PROFILE=profile)
    wait_until(lambda: sum(ledger.count("end").values()) == 10, what="the end of all jobs")
    assert set(ledger.count("start").values()) == {1}
    assert name_of(worker.pid) is None
    assert worker.stop() == 0
    said = worker.log.read_text()
    assert said.count("Redis is full") == 1
    assert "trying again" not in said


def test_it_is_known_to_rq_s_tools_when_there_is_room_again(redis_without_limit: None) -> None:
    worker = profiles.worker()(connect(config.settings().redis_location), concurrency=1, grace=1)
    fill()
    worker._register()
    worker._heartbeat_when_due()
    assert heartbeats.workers() == []
    make_room()
    worker._last_heartbeat = float("-inf")
    worker._heartbeat_when_due()
    assert heartbeats.workers() == [worker.name]
    assert redis().ttl(worker.key) > 60
    worker.unsubscribe()


def test_what_is_too_old_is_dropped_from_a_full_redis_too(redis_without_limit: None) -> None:
    redis().zadd("rq:finished:analytics", {"old": 1})
    fill()
    retention.trim_when_due(redis())
    assert redis().zcard("rq:finished:analytics") == 0
