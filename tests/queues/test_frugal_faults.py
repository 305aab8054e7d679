"""Workers of the frugal profile that are killed, cut off, or meet a full Redis: nothing is lost."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from pathlib import Path
from subprocess import Popen

import pytest
from redis import ResponseError

from queues import keys
from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from tests.queues.conftest import StartWorker, ledger, new_job
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("frugal")

JOBS = 300


@pytest.fixture
def start(start_worker: StartWorker) -> StartWorker:
    return partial(start_worker, QUEUE_MAX_JOBS_PER_SECOND="0")


def is_all_done() -> bool:
    patterns = ("rq:queue:*", "clianta:taken:*", "rq:scheduled:*")
    return not any(redis().keys(pattern) for pattern in patterns)


def named(start: StartWorker) -> tuple[str, Popen[bytes]]:
    """A new worker and its name."""
    before = set(redis().hkeys(keys.FRUGAL_WORKERS))
    process = start()
    (new,) = wait_until(lambda: set(redis().hkeys(keys.FRUGAL_WORKERS)) - before)
    return new.decode(), process


def test_workers_killed_at_random_lose_no_job(start: StartWorker) -> None:
    random.seed(4)
    kills, alive = 4, [named(start), named(start)]
    for part in range(kills):
        enqueue_many([new_job("note", f"j{part}-{n}", what=f"{part}-{n}") for n in range(JOBS)])
        least = len(ledger()) + random.randrange(1, JOBS)
        wait_until(lambda least=least: len(ledger()) >= least)
        name, victim = alive.pop(0)
        victim.kill()
        victim.wait(10)
        redis().delete(f"rq:worker:{name}")  # it lapses
        alive.append(named(start))
    wait_until(is_all_done, timeout=40)
    runs = Counter(ledger())
    assert runs.keys() == {f"{part}-{n}" for part in range(kills) for n in range(JOBS)}
    assert runs.total() <= kills * (JOBS + 3)  # what ran at a kill may run again


def test_lost_connections_lose_no_job(start: StartWorker) -> None:
    start()
    enqueue_many([new_job("note", f"c{n}", what=str(n)) for n in range(JOBS)])
    for part in range(1, 4):
        wait_until(lambda part=part: len(set(ledger())) > part * JOBS / 5, timeout=20)
        redis().client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: len(set(ledger())) == JOBS and is_all_done(), timeout=40)


def test_jobs_run_and_end_while_redis_is_full(start: StartWorker, tmp_path: Path) -> None:
    start(QUEUE_CONCURRENCY="1")
    go = tmp_path / "go"
    enqueue(new_job("note_and_wait_for_file", "first", what="first", path=str(go)))
    wait_until(ledger)
    enqueue_many([new_job("noop", f"f{n}", payload="x" * 100) for n in range(20)])
    redis().config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="OOM"):
            enqueue(new_job("noop", "one-more", payload=""))
        go.touch()
        wait_until(is_all_done)
    finally:
        redis().config_set("maxmemory", 0)
    assert not redis().keys("rq:job:*")
