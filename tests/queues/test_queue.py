"""Emptying a queue: what waits is deleted, what runs runs on, and what waits for the deleted is cancelled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import config
from queues import claim, clock, counts
from queues.batches import batch
from queues.chains import chain
from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from queues.queue import BATCH, Queue
from tests.queues.conftest import new_job, status_of


@pytest.fixture
def queue(clean_redis: None) -> Queue:
    return Queue("analytics", connection=redis())


def noops(number: int, prefix: str = "n") -> list[str]:
    ids = [f"{prefix}{n}" for n in range(number)]
    enqueue_many([new_job("noop", job_id, payload="") for job_id in ids])
    return ids


def test_what_waits_is_gone_and_its_ids_are_free_again(queue: Queue) -> None:
    noops(3)
    assert queue.empty() == 3
    assert queue.empty() == 0
    assert redis().keys("rq:job:*") == []
    assert enqueue(new_job("noop", "n1", payload=""))


def test_a_running_job_runs_on(queue: Queue, no_limit: None) -> None:
    noops(3)
    (running,) = claim.claim(redis(), "w", 1, clock.moment()).claimed
    assert queue.empty() == 2
    assert status_of(running.job.id) == "started"


def test_the_rest_of_a_chain_and_the_callback_of_a_batch_are_cancelled(queue: Queue) -> None:
    chain(new_job("noop", "first"), new_job("noop", "second", queue="crm-events"))
    batch([new_job("noop", f"m{n}") for n in range(2)], new_job("noop", "callback"))
    assert queue.empty() == 3
    assert (status_of("second"), status_of("callback")) == ("canceled", "canceled")
    assert counts.counts(["crm-events"])[0].deferred == 0


def test_what_comes_meanwhile_is_not_chased(queue: Queue) -> None:
    noops(BATCH + 1)
    parts = queue.empty_in_parts()
    assert next(parts) == BATCH
    noops(10, "late")
    assert list(parts) == [1]
    assert queue.count == 10


def test_a_full_redis_can_be_emptied(queue: Queue) -> None:
    noops(3)
    chain(new_job("noop", "first"), new_job("noop", "second"))
    redis().config_set("maxmemory", 1)
    try:
        assert queue.empty() == 4
    finally:
        redis().config_set("maxmemory", 0)


@pytest.fixture
def frugal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("QUEUE_PROFILE", "frugal")
    config.settings.cache_clear()
    yield
    config.settings.cache_clear()


def test_in_the_frugal_profile_no_bell_rings_for_what_is_gone(queue: Queue, frugal: None) -> None:
    noops(3)
    assert redis().llen("clianta:bell:analytics") == 3
    queue.empty()
    assert not redis().exists("clianta:bell:analytics")
