"""What is left in Redis of many jobs."""

from __future__ import annotations

from collections import Counter

import pytest

import config
from queues import heartbeats, keys, retention
from queues.connection import redis
from queues.enqueue import enqueue_many
from queues.names import QUEUES
from tests.queues.conftest import StartWorker, new_job
from tests.waiting import wait_until

JOBS = 20_000
FAILING = 200


def kinds() -> Counter[str]:
    """How many keys there are of each kind, like rq:job."""
    keys = (key.decode() for key in redis().scan_iter("rq:*", count=5_000))
    return Counter(":".join(key.split(":")[:2]) for key in keys)


@pytest.mark.timeout(240)
def test_no_orphan_is_left_of_20_000_jobs(start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = start_worker(QUEUE_MAX_JOBS_PER_SECOND="0", LOG_LEVEL="ERROR")
    enqueue_many([new_job("noop", f"n{n}", payload="x" * 50) for n in range(JOBS - FAILING)])
    enqueue_many([new_job("fail_for_good", f"f{n}", queue="email-sync") for n in range(FAILING)])
    done = ("rq:finished:analytics", "rq:failed:email-sync")
    wait_until(lambda: sum(redis().zcard(key) for key in done) == JOBS, timeout=200)
    worker.terminate()
    worker.wait(10)

    limits = config.settings().model_copy(update={"completed_jobs_keep": 100, "failed_jobs_keep": 50})
    monkeypatch.setattr(config, "settings", lambda: limits)
    assert retention.trim(redis()) == JOBS - 150

    left = kinds()
    assert (redis().zcard(done[0]), redis().zcard(done[1])) == (100, 50)
    assert left["rq:job"] == left["rq:results"] == 150
    assert not set(left) & {"rq:execution", "rq:executions", "rq:wip", "rq:scheduled"}
    assert retention.trim(redis()) == 0


def registered() -> set[str]:
    """The workers in RQ's lists, as its tools see them."""
    lists = ["rq:workers", *(f"rq:workers:{name}" for name in QUEUES)]
    return {key.decode().rsplit(":", 1)[1] for each in lists for key in redis().smembers(each)}


def test_a_killed_worker_is_struck_off_by_one_that_lives(start_worker: StartWorker) -> None:
    killed = start_worker()
    (name,) = heartbeats.workers()
    killed.kill()
    killed.wait()
    redis().delete(f"rq:worker:{name}", keys.LAST_TRIM)  # its key lapses, and it is time for a trim
    start_worker()
    wait_until(lambda: registered() == set(heartbeats.workers()))
    assert name not in registered()


def test_only_who_has_no_birth_is_struck_off(clean_redis: None) -> None:
    for name, born in (("alive", {"birth": "x"}), ("rest", {"successful_job_count": 1}), ("lapsed", {})):
        for each in ("rq:workers", "rq:workers:analytics"):
            redis().sadd(each, f"rq:worker:{name}")
        if born:
            redis().hset(f"rq:worker:{name}", mapping=born)
    assert heartbeats.forget_dead_workers(redis()) == 2
    assert registered() == {"alive"}
    assert redis().keys("rq:worker:*") == [b"rq:worker:alive"]
    assert heartbeats.forget_dead_workers(redis()) == 0
