"""What is left in Redis of many jobs."""

from __future__ import annotations

from collections import Counter

import pytest

import config
from queues import retention
from queues.connection import redis
from queues.enqueue import enqueue_many
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
