"""A job whose worker died runs alone the next time: only the one that kills is quarantined."""

from __future__ import annotations

import signal
import subprocess
import time

from queues import claim, clock
from queues.connection import redis
from queues.enqueue import enqueue_many
from queues.names import BY_PRIORITY
from queues.scripts import run
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}


def locks_lapse() -> None:
    for queue in BY_PRIORITY:
        for member in redis().zrange(f"rq:wip:{queue}", 0, -1):
            redis().zadd(f"rq:wip:{queue}", {member: time.time() - 1})


def call(slots: int, rest: claim.Rest) -> claim.Claim:
    reply = run(redis(), claim.call("w", claim.ExecutionIds().take(slots), clock.moment(), rest=rest))[0]
    return claim.answer(redis(), "w", reply)


def ids(found: claim.Claim) -> list[str]:
    return [each.job.id for each in found.claimed]


def stall(*names: str) -> None:
    enqueue_many([new_job("noop", name, payload="") for name in names])
    claim.claim(redis(), "dead", len(names), clock.moment())
    locks_lapse()


def test_a_suspect_is_taken_alone_and_by_a_worker_at_rest_only(clean_redis: None, no_limit: None) -> None:
    stall("suspect")
    enqueue_many([new_job("noop", "n1", payload=""), new_job("noop", "n2", payload="")])
    busy = call(1, "")
    assert (ids(busy), busy.is_suspect_waiting) == (["n1"], True)
    at_rest = call(3, "rest")
    assert (ids(at_rest), at_rest.claimed[0].is_suspect) == (["suspect"], True)
    assert ids(call(3, "")) == ["n2"]


def test_a_worker_that_came_to_rest_for_a_suspect_takes_it_before_urgent_jobs(
    clean_redis: None, no_limit: None
) -> None:
    stall("suspect")
    call(0, "")  # brings it back
    enqueue_many([new_job("noop", "urgent", queue="crm-events", payload="")])
    first = call(3, "rest")
    assert (ids(first), first.is_suspect_waiting) == (["urgent"], True)
    enqueue_many([new_job("noop", "urgent2", queue="crm-events", payload="")])
    assert ids(call(3, "suspect")) == ["suspect"]


def test_only_the_job_that_kills_is_quarantined(start_worker: StartWorker) -> None:
    """Its neighbours, running or claimed ahead, died with their worker once, and then run alone."""
    names = [f"n{n}" for n in range(40)]
    jobs = [new_job("note", name, what=name) for name in names]
    enqueue_many([*jobs[:20], new_job("kill_own_worker", "killer"), *jobs[20:]])
    deaths = 0
    while not is_over(names):
        worker = start_worker(**FAST)
        wait_until(lambda worker=worker: worker.poll() is not None or is_over(names), timeout=30)
        deaths += died(worker)
        if worker.poll() is not None:
            locks_lapse()
    assert deaths == 2
    assert status_of("killer") == "failed"
    assert [status_of(name) for name in names] == ["finished"] * 40
    assert ledger().count("killed") == 2


def test_a_busy_worker_comes_to_rest_for_a_suspect(start_worker: StartWorker) -> None:
    stall("suspect")
    enqueue_many([new_job("note", f"n{n}", what=str(n)) for n in range(2_000)])
    start_worker(**FAST)
    wait_until(lambda: status_of("suspect") == "finished")
    wait_until(lambda: len(ledger()) == 2_000, timeout=60)


def is_over(names: list[str]) -> bool:
    return status_of("killer") == "failed" and all(status_of(name) == "finished" for name in names)


def died(worker: subprocess.Popen[bytes]) -> bool:
    return worker.poll() == -signal.SIGKILL
