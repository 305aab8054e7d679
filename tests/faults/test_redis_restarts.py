"""Redis dies, or hangs, in the middle of work; what it had acknowledged is in its append-only file."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from queues.connection import redis
from queues.enqueue import enqueue_many
from sandbox.process import Server
from tests.faults.conftest import StartWorker, assert_nothing_is_under_way, has_finished, new_job
from tests.faults.ledger import Ledger
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("profile")

JOBS = 300
HANGS = 6.0  # seconds: longer than a client waits for an answer (queues/connection.py)


@pytest.fixture
def mortal_redis(redis_process: Server) -> Iterator[Server]:
    """The test's Redis, which lives again in the end."""
    write_before_answering()
    yield redis_process
    if redis_process.pid:
        os.kill(redis_process.pid, signal.SIGCONT)
    redis_process.stop()
    redis_process.start()


def write_before_answering() -> None:
    """By default Redis answers without having written while the disk is slow: its death loses that."""
    redis().config_set("appendfsync", "always")


def enqueue_work(count: int, seconds: float) -> list[str]:
    ids = [f"work-{n}" for n in range(count)]
    enqueue_many([new_job("work", job_id, seconds=seconds) for job_id in ids])
    return ids


def wait_for_ends(ids: list[str], timeout: float = 30) -> None:
    wait_until(lambda: all(map(has_finished, ids)), timeout, "the end of all jobs")


def test_a_redis_killed_again_and_again_loses_no_job_and_repeats_none(
    mortal_redis: Server, start_worker: StartWorker, ledger: Ledger
) -> None:
    chance = random.Random(6)
    workers = [start_worker(), start_worker()]
    ids = enqueue_work(JOBS, 0.01)
    for third in (1, 2, 3):
        wait_until(lambda third=third: len(ledger.count("start")) > third * JOBS / 4)
        time.sleep(chance.uniform(0, 0.02))  # somewhere in a job
        mortal_redis.kill()
        mortal_redis.start()
        write_before_answering()
    wait_for_ends(ids)
    assert ledger.count("start") == ledger.count("end") == dict.fromkeys(ids, 1)
    assert [worker.code() for worker in workers] == [None, None]
    assert_nothing_is_under_way()


def test_a_redis_that_hangs_loses_no_job_and_repeats_none(
    mortal_redis: Server, start_worker: StartWorker, ledger: Ledger
) -> None:
    """What its clients sent meanwhile, and gave up, it does when it goes on: claims that nobody waits for."""
    workers = [start_worker(), start_worker()]
    ids = enqueue_work(JOBS, 0.01)
    wait_until(lambda: len(ledger.count("start")) > JOBS / 4)
    assert mortal_redis.pid
    os.kill(mortal_redis.pid, signal.SIGSTOP)
    time.sleep(HANGS)
    os.kill(mortal_redis.pid, signal.SIGCONT)
    wait_for_ends(ids, timeout=100)
    assert ledger.count("start") == ledger.count("end") == dict.fromkeys(ids, 1)
    assert [worker.code() for worker in workers] == [None, None]
    assert_nothing_is_under_way()


def test_jobs_that_run_through_a_failover_end_once_when_there_is_a_master_again(
    start_worker: StartWorker, ledger: Ledger, tmp_path: Path
) -> None:
    """The worker's connections lead to what is a replica now: it takes no write until it is promoted."""
    gate = tmp_path / "gate"
    worker = start_worker()
    enqueue_many([new_job("wait_for_file", job_id, path=str(gate)) for job_id in ("one", "two")])
    wait_until(lambda: ledger.count("start") == {"one": 1, "two": 1})
    redis().execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        gate.touch()
        wait_until(lambda: ledger.count("end") == {"one": 1, "two": 1})
        wait_until(lambda: "read only replica" in worker.log.read_text(), what="a write that it refuses")
        assert not has_finished("one")
    finally:
        redis().execute_command("REPLICAOF", "NO", "ONE")
    wait_for_ends(["one", "two"])
    after = enqueue_work(20, 0)
    wait_for_ends(after)
    assert ledger.count("start") == ledger.count("end") == dict.fromkeys(["one", "two", *after], 1)
    assert worker.code() is None
    assert_nothing_is_under_way()
