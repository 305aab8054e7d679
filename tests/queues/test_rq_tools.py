"""RQ's own program on our queues, as a user runs it: `rq info`, `suspend`, `resume`, `empty`, `worker`.

`rq requeue` is in tests/web/cli/test_env.py, rq-dashboard in tests/web/admin/test_dashboard.py.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from dataclasses import replace

import pytest

import config
from queues import claim, clock, heartbeats
from queues.chains import chain
from queues.connection import connect, redis
from queues.enqueue import enqueue, enqueue_many
from queues.names import BY_PRIORITY
from queues.worker import Worker
from tests import pickles
from tests.queues.conftest import ROOT, RQ, StartWorker, ledger, new_job, rq_environment, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
WORKERS = ["rq.worker.SimpleWorker", "rq.worker.Worker"]


def rq(*arguments: str) -> str:
    """What `rq …` prints."""
    done = subprocess.run(
        [RQ, *arguments],
        cwd=ROOT,
        env={**os.environ, **rq_environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rq_info_shows_our_worker_and_counts_our_jobs(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue_many([new_job("note", "done", what="x"), new_job("fail_for_good", "dead")])
    enqueue(new_job("wait_for_go", "busy", what="busy"))
    wait_until(lambda: status_of("done") == "finished" and status_of("dead") == "failed")
    wait_until(lambda: "busy started" in ledger())
    lines = rq("info", "--raw").splitlines()
    assert "queue analytics 0, 1 executing, 1 finished, 1 failed" in lines
    assert "queue crm-events 0, 0 executing, 0 finished, 0 failed" in lines
    (worker,) = (line for line in lines if line.startswith("worker "))
    assert heartbeats.workers()[0] in worker
    assert worker.endswith("jobs: 1 finished, 1 failed")
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("busy") == "finished")  # looking at it has not disturbed it


def state() -> str:
    """Of the only worker, as `rq info` shows it."""
    (line,) = (line for line in rq("info", "--raw", "--only-workers").splitlines() if "worker " in line)
    return line.partition(") ")[2].split()[0]


def test_rq_info_shows_whether_our_worker_is_busy(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    (name,) = heartbeats.workers()

    def has(state: bytes) -> bool:
        return redis().hget(f"rq:worker:{name}", "state") == state

    assert has(b"idle")
    enqueue(new_job("wait_for_go", "busy", what="busy"))
    wait_until(lambda: has(b"busy"))
    assert state() == "busy"
    redis().rpush("test:go", 1)
    wait_until(lambda: has(b"idle"))


def test_an_idle_worker_tells_that_it_is_suspended_and_a_busy_one_that_it_is_busy(clean_redis: None) -> None:
    worker = Worker(connect(config.settings().redis_location), concurrency=1, grace=1)
    worker._register_anew()
    redis().set("rq:suspended", 1)
    worker.heartbeat()
    assert state() == "suspended"
    enqueue(new_job("noop", "held", payload=""))
    redis().delete("rq:suspended")
    (claimed,) = claim.claim(redis(), worker.name, 1, clock.moment()).claimed
    redis().set("rq:suspended", 1)
    worker._slots.take(claimed)
    worker.heartbeat()
    assert state() == "busy"


def test_a_sign_of_life_costs_four_commands_and_tells_the_state(clean_redis: None) -> None:
    worker = Worker(connect(config.settings().redis_location), concurrency=1, grace=1)
    worker._register_anew()
    redis().config_resetstat()
    worker.heartbeat()
    stats = redis().info("commandstats")
    calls = {name: stat["calls"] for name, stat in stats.items() if not name.startswith("cmdstat_config")}
    assert calls == {"cmdstat_exists": 1, "cmdstat_hset": 1, "cmdstat_expire": 2}


def test_rq_suspend_holds_our_workers_until_rq_resume(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    rq("suspend")
    enqueue(new_job("note", "held", what="held"))
    wait_until(lambda: redis().llen("clianta:doorbell") == 0, what="a look at the queue")
    assert rq("info", "--raw", "--only-queues", "analytics").startswith("queue analytics 1, 0 executing")
    assert ledger() == []
    rq("resume")
    wait_until(lambda: ledger() == ["held"], timeout=5)


def test_rq_suspend_for_a_while_ends_by_itself(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    rq("suspend", "--duration", "2")
    enqueue(new_job("note", "held", what="held"))
    wait_until(lambda: ledger() == ["held"])
    assert not redis().exists("rq:suspended")


def test_rq_empty_drops_what_waits_on_that_queue_only(start_worker: StartWorker) -> None:
    enqueue_many([new_job("note", f"n{n}", what=f"n{n}") for n in range(3)])
    enqueue(new_job("note", "other", queue="crm-events", what="other"))
    assert "3 jobs removed from analytics queue" in rq("empty", "analytics")
    assert redis().keys("rq:job:n*") == []
    assert enqueue(new_job("note", "n1", what="again"))
    start_worker(**FAST)
    wait_until(lambda: sorted(ledger()) == ["again", "other"])


def test_rq_empty_and_rq_info_know_the_lanes_of_a_long_queue(clean_redis: None) -> None:
    for workspace, number in (("a", 700), ("b", 40)):
        of_workspace = {"meta": {"workspace_id": workspace}}
        enqueue_many([replace(new_job("noop", f"{workspace}{n}"), **of_workspace) for n in range(number)])
    enqueue(new_job("noop", "other", queue="crm-events"))
    assert rq("info", "--raw", "--only-queues", "analytics").startswith("queue analytics 740, 0 executing")
    assert "740 jobs removed from analytics queue" in rq("empty", "analytics")
    assert redis().keys("rq:job:*") == [b"rq:job:other"]
    assert not redis().keys("clianta:lane*")
    assert claim.claim(redis(), "w", 3, clock.moment()).claimed[0].job.id == "other"


@pytest.mark.parametrize("worker_class", WORKERS)
def test_rq_s_worker_runs_our_jobs_and_our_rules_hold(stores: None, worker_class: str) -> None:
    enqueue_many([new_job("note", "done", what="done"), new_job("fail_for_good", "dead")])
    enqueue(new_job("fail", "retried"))
    chain(
        new_job("note", "first", what="first"), new_job("note", "second", queue="crm-events", what="second")
    )
    rq("worker", "--burst", "--worker-class", worker_class, *BY_PRIORITY)
    states = {job_id: status_of(job_id) for job_id in ("done", "dead", "retried", "first", "second")}
    assert states == {
        "done": "finished",
        "dead": "failed",  # at once: its error is permanent
        "retried": "scheduled",
        "first": "finished",
        "second": "finished",
    }
    assert ledger() == ["done", "fail_for_good", "fail", "first", "second"]
    assert pickles.found() == []


def test_rq_s_worker_beside_ours_takes_its_share_and_no_job_runs_twice(start_worker: StartWorker) -> None:
    ids = [f"s{n}" for n in range(300)]
    stock = ("worker", "--worker-class", "rq.worker.SimpleWorker", *BY_PRIORITY)
    start_worker(RQ, *stock, **rq_environment())
    start_worker(QUEUE_MAX_JOBS_PER_SECOND="20")
    enqueue_many([new_job("note", job_id, what=job_id) for job_id in ids])
    wait_until(lambda: redis().zcard("rq:finished:analytics") == len(ids), timeout=30)
    assert Counter(ledger()) == Counter(ids)
    names = Counter(redis().hget(f"rq:job:{job_id}", "worker_name") for job_id in ids)
    assert len(names) == 2, names


def test_what_rq_s_killed_worker_ran_is_run_again_by_ours(start_worker: StartWorker) -> None:
    enqueue(new_job("wait_for_go", "orphan", what="orphan"))
    stock = ("worker", "--worker-class", "rq.worker.SimpleWorker", *BY_PRIORITY)
    killed = start_worker(RQ, *stock, **rq_environment())
    wait_until(lambda: ledger() == ["orphan started"])
    killed.kill()
    killed.wait()
    (member,) = redis().zrange("rq:wip:analytics", 0, -1)
    redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
    redis().rpush("test:go", 1)
    start_worker(**FAST)
    wait_until(lambda: status_of("orphan") == "finished")
    assert ledger() == ["orphan started", "orphan started", "orphan ended"]


def test_rq_info_loses_no_job_of_a_killed_worker(start_worker: StartWorker) -> None:
    killed = start_worker(**FAST)
    enqueue(new_job("wait_for_go", "orphan", what="orphan"))
    wait_until(lambda: ledger() == ["orphan started"])
    killed.kill()
    killed.wait()
    (member,) = redis().zrange("rq:wip:analytics", 0, -1)
    redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
    rq("info", "analytics")  # it tidies up as it looks
    assert redis().zcard("rq:wip:analytics") == 0
    assert status_of("orphan") == "scheduled"
    redis().rpush("test:go", 1)
    start_worker(**FAST)
    wait_until(lambda: status_of("orphan") == "finished")
    assert ledger() == ["orphan started", "orphan started", "orphan ended"]
    assert pickles.found() == []


def test_rq_requeue_wakes_our_idle_worker(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue(new_job("fail_until", "dead", key="test:mended", what="dead"))
    wait_until(lambda: status_of("dead") == "failed")
    redis().set("test:mended", 1)
    rq("requeue", "--queue", "analytics", "--all")
    wait_until(lambda: status_of("dead") == "finished", timeout=5)  # it would look by itself after 30 s
    assert ledger() == ["dead", "dead"]
