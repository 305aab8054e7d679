"""A worker whose Redis is full, and takes no ring, still learns at once what its own threads know."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

import config
from queues import clock
from queues.claim import Claim
from queues.connection import connect, redis
from queues.worker import Worker
from tests.waiting import wait_until

LONG = 20.0  # seconds


@pytest.fixture
def worker(clean_redis: None) -> Iterator[Worker]:
    """Its main thread, a thread here, is about to wait for long; Redis holds more than it may."""
    worker = Worker(connect(config.settings().redis_location), concurrency=1, grace=1)
    worker._wakes_at = clock.now() + LONG
    redis().config_set("maxmemory", 1)
    yield worker
    redis().config_set("maxmemory", 0)


def hear_of_a_retry(worker: Worker) -> list[str]:
    """What is logged when a job's thread learns that a retry is due in a second."""
    with capture_logs() as said:
        worker._hear(Claim([], clock.now() + 1, [], is_suspect_waiting=False))
    return [f"{line['log_level']}: {line['event']}" for line in said]


def test_its_wait_ends_and_one_line_says_why(worker: Worker) -> None:
    started = time.monotonic()
    main = threading.Thread(target=worker._doorbell.wait, args=(LONG,))
    main.start()
    wait_until(lambda: "blpop" in {client["cmd"] for client in redis().client_list()})
    assert hear_of_a_retry(worker) == [
        "warning: ⚠️  Redis is full: its bell cannot be rung, so only this worker looks now"
    ]
    main.join(LONG)
    assert time.monotonic() - started < LONG / 2


def test_a_wait_that_is_yet_to_begin_ends_too_and_the_one_after_it_lasts(worker: Worker) -> None:
    hear_of_a_retry(worker)
    started = time.monotonic()
    worker._doorbell.wait(LONG)
    assert time.monotonic() - started < LONG / 2
    started = time.monotonic()
    worker._doorbell.wait(0.3)
    assert time.monotonic() - started >= 0.3
