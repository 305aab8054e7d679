"""Chains: B after A, whatever dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product

import pytest
from rq.registry import DeferredJobRegistry

from queues import dead_letters, retention
from queues.batches import batch
from queues.chains import chain
from queues.connection import redis
from queues.enqueue import RedisError, cancel, enqueue
from queues.job import Job
from queues.new_job import NewJob
from tests.queues import kill_at_each_step
from tests.queues.conftest import ROOT, StartWorker, ledger, new_job, status_of
from tests.queues.kill_at_each_step import SCENARIOS
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
MENDED = "test:mended"


def notes(*ids: str) -> list[NewJob]:
    return [new_job("note", job_id, what=job_id) for job_id in ids]


def breaking(job_id: str = "a") -> NewJob:
    return new_job("fail_until", job_id, key=MENDED, what=job_id)


def test_each_job_of_a_chain_starts_after_the_one_before_on_any_queue(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    a = new_job("wait_for_go", "a", queue="analytics", what="a")
    b = new_job("wait_for_go", "b", queue="crm-events", what="b")
    c = new_job("note", "c", queue="ai-jobs", what="c")
    assert chain(a, b, c) == 3
    wait_until(lambda: ledger() == ["a started"])
    assert [status_of("b"), status_of("c")] == ["deferred", "deferred"]
    redis().rpush("test:go", 1)
    wait_until(lambda: ledger() == ["a started", "a ended", "b started"])
    assert status_of("c") == "deferred"
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("c") == "finished")
    assert ledger()[-1] == "c"


def test_rq_s_own_tools_show_the_chain(clean_redis: None) -> None:
    chain(*notes("a", "b", "c"))
    b = Job.fetch("b", connection=redis())
    assert DeferredJobRegistry("analytics", connection=redis()).get_job_ids() == ["b", "c"]
    assert [job.id for job in b.fetch_dependencies()] == ["a"]
    assert Job.fetch("a", connection=redis()).dependent_ids == ["b"]
    assert b.dependency_ids == ["a"]


def test_a_stock_worker_runs_a_chain_too(run_jobs: Callable[[], int]) -> None:
    chain(*notes("a", "b", "c"))
    run_jobs()
    assert ledger() == ["a", "b", "c"]


def test_a_finished_chain_leaves_no_link_behind(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    chain(*notes("a", "b", "c"))
    wait_until(lambda: status_of("c") == "finished")
    assert redis().keys("rq:job:*:dependents") == []
    assert redis().zcard("rq:deferred:analytics") == 0


@pytest.mark.parametrize("worker", ["ours", "stock"])
def test_the_rest_waits_for_a_dead_letter_and_goes_on_when_it_is_requeued(
    worker: str, start_worker: StartWorker, run_jobs: Callable[[], int]
) -> None:
    chain(breaking(), *notes("b", "c"))
    _run(worker, start_worker, run_jobs, lambda: status_of("a") == "failed")
    assert [status_of("b"), status_of("c")] == ["deferred", "deferred"]
    redis().set(MENDED, 1)
    dead_letters.requeue(["a"])
    _run(worker, None, run_jobs, lambda: status_of("c") == "finished")
    assert ledger() == ["a", "a", "b", "c"]


@pytest.mark.parametrize("worker", ["ours", "stock"])
def test_the_rest_is_cancelled_for_good_if_that_is_the_policy(
    worker: str, start_worker: StartWorker, run_jobs: Callable[[], int]
) -> None:
    chain(breaking(), *notes("b", "c"), on_failure="cancel")
    _run(worker, start_worker, run_jobs, lambda: status_of("a") == "failed")
    assert [status_of("b"), status_of("c")] == ["canceled", "canceled"]
    assert redis().zcard("rq:deferred:analytics") == 0
    assert redis().zcard("rq:canceled:analytics") == 2
    redis().set(MENDED, 1)
    dead_letters.requeue(["a"])
    _run(worker, None, run_jobs, lambda: status_of("a") == "finished")
    assert ledger() == ["a", "a"]


@pytest.mark.parametrize("worker", ["ours", "stock"])
def test_the_rest_runs_all_the_same_if_that_is_the_policy(
    worker: str, start_worker: StartWorker, run_jobs: Callable[[], int]
) -> None:
    chain(breaking(), *notes("b", "c"), on_failure="continue")
    _run(worker, start_worker, run_jobs, lambda: status_of("c") == "finished")
    assert ledger() == ["a", "b", "c"]
    redis().set(MENDED, 1)
    dead_letters.requeue(["a"])
    _run(worker, None, run_jobs, lambda: status_of("a") == "finished")
    assert ledger() == ["a", "b", "c", "a"]


def test_a_quarantined_job_decides_about_the_rest_too(start_worker: StartWorker) -> None:
    chain(new_job("kill_own_worker", "a"), *notes("b"), on_failure="continue")
    for _life in (1, 2):
        start_worker(**FAST).wait(60)  # one that starts late spares the lock for half a minute
        member = redis().zrange("rq:wip:analytics", 0, 0)[0]
        redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
    start_worker(**FAST)
    wait_until(lambda: status_of("b") == "finished")
    assert status_of("a") == "failed"
    assert redis().ttl("rq:job:a") > 0  # it lapses even if somebody takes it off its registry


@pytest.mark.parametrize(
    ("profile", "scenario"),
    [*product(["frugal"], SCENARIOS), *product(["standard"], sorted(SCENARIOS.keys() - {"plain"}))],
)
def test_a_worker_killed_before_any_of_its_commands_loses_no_job_no_chain_and_no_batch(
    profile: str, scenario: str, clean_redis: None
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.queues.kill_at_each_step", scenario],
        cwd=ROOT,
        env={**os.environ, **FAST, "QUEUE_PROFILE": profile},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["lost"] == []
    assert 5 <= report["steps"] < kill_at_each_step.MOST_STEPS - 1


def test_enqueueing_a_chain_twice_changes_nothing(clean_redis: None) -> None:
    assert chain(*notes("a", "b", "c")) == 3
    before = _everything()
    assert chain(*notes("a", "b", "c")) == 0
    assert _everything() == before


def test_a_chain_behind_a_finished_job_starts_at_once(run_jobs: Callable[[], int]) -> None:
    enqueue(notes("a")[0])
    run_jobs()
    assert chain(*notes("a", "b", "c")) == 2
    assert status_of("b") == "queued"
    run_jobs()
    assert ledger() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("policy", "status"), [("wait", "deferred"), ("cancel", "canceled"), ("continue", "queued")]
)
def test_a_chain_behind_a_dead_letter_does_as_its_policy_says(
    policy: str, status: str, run_jobs: Callable[[], int]
) -> None:
    enqueue(breaking())
    run_jobs()
    chain(breaking(), *notes("b"), on_failure=policy)  # type: ignore[arg-type]
    assert status_of("b") == status
    redis().set(MENDED, 1)
    dead_letters.requeue(["a"])
    run_jobs()
    assert ledger().count("b") == (0 if policy == "cancel" else 1)


def test_a_chain_behind_a_running_job_goes_on_when_it_has_finished(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    running = new_job("wait_for_go", "a", what="a")
    enqueue(running)
    wait_until(lambda: ledger() == ["a started"])
    assert chain(running, *notes("b")) == 1
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("b") == "finished")


def test_purging_a_dead_letter_cancels_what_waits_for_it(run_jobs: Callable[[], int]) -> None:
    chain(breaking(), *notes("b", "c"))
    run_jobs()
    dead_letters.purge(["a"])
    assert [status_of("b"), status_of("c")] == ["canceled", "canceled"]
    assert redis().zcard("rq:deferred:analytics") == 0


def test_a_dead_letter_that_lapses_cancels_what_waits_for_it(run_jobs: Callable[[], int]) -> None:
    chain(breaking(), *notes("b", "c"))
    run_jobs()
    redis().zadd("rq:failed:analytics", {"a": 1})
    assert retention.trim(redis()) == 1
    assert [status_of("b"), status_of("c")] == ["canceled", "canceled"]
    for job_id in ("b", "c"):
        redis().zadd("rq:canceled:analytics", {job_id: 1})
    retention.trim(redis())
    assert redis().keys("rq:*job*") == []


def test_cancelling_a_job_of_a_chain_cancels_the_rest(clean_redis: None) -> None:
    chain(*notes("a", "b", "c"))
    assert cancel("b")
    assert [status_of("a"), status_of("b"), status_of("c")] == ["queued", "canceled", "canceled"]


def test_a_full_redis_refuses_a_chain_and_a_batch_as_a_whole(clean_redis: None) -> None:
    unlimited = redis().config_get("maxmemory")["maxmemory"]
    try:
        redis().config_set("maxmemory", 1)
        with pytest.raises(RedisError, match="OOM"):
            chain(*notes("a", "b"))
        with pytest.raises(RedisError, match="OOM"):
            batch(notes("a", "b"), notes("c")[0])
    finally:
        redis().config_set("maxmemory", unlimited)
    assert redis().keys("*") == []


@pytest.mark.parametrize(
    ("jobs", "message"), [([], "1 to 500 jobs"), (notes("a", "a"), "need an id each; got a, a")]
)
def test_a_chain_that_makes_no_sense_is_refused(jobs: list[NewJob], message: str, clean_redis: None) -> None:
    with pytest.raises(ValueError, match=message):
        chain(*jobs)
    assert redis().keys("rq:*") == []


def _run(
    worker: str,
    start_worker: StartWorker | None,
    run_jobs: Callable[[], int],
    until: Callable[[], bool],
) -> None:
    if worker == "stock":
        run_jobs()
    elif start_worker:
        start_worker(**FAST)
    wait_until(until)


def _everything() -> bytes:
    """A digest of all keys and values."""
    digest: bytes = redis().execute_command("DEBUG", "DIGEST")
    return digest
