"""Workers and schedulers when Redis goes away, comes back empty, or is full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from queues import enqueue
from queues.connection import redis
from sandbox import redis_server
from sandbox.process import Server
from tests.queues.conftest import ROOT, StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
LEDGER = "test:ledger"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Server]:
    """A Redis that the test may stop and start."""
    server = redis_server.embedded(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def on_own_redis(own_redis: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """Let this process enqueue to the test's own Redis."""
    with Redis(port=own_redis.port, protocol=2) as client:
        monkeypatch.setattr(enqueue, "redis", lambda: client)
        yield client


Spawn = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def spawn(own_redis: Server, tmp_path: Path) -> Iterator[Spawn]:
    """Start worker.py or scheduler.py on the test's own Redis."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **FAST, "REDIS_URL": redis_server.url(own_redis)}
        with (tmp_path / f"{program}.log").open("ab") as log:
            started.append(subprocess.Popen([sys.executable, program], cwd=ROOT, env=environment, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def did(client: Redis) -> list[bytes]:
    return list(client.lrange(LEDGER, 0, -1))


def test_a_worker_goes_on_after_a_restart_of_redis(
    own_redis: Server, on_own_redis: Redis, spawn: Spawn, clean_store: None
) -> None:
    worker = spawn("worker.py")
    enqueue.enqueue(new_job("note", "before", what="before"))
    wait_until(lambda: did(on_own_redis) == [b"before"])
    own_redis.stop()
    assert worker.poll() is None
    own_redis.start()
    enqueue.enqueue(new_job("note", "after", what="after"))
    wait_until(lambda: did(on_own_redis) == [b"before", b"after"])
    assert worker.poll() is None


def test_a_job_that_ends_while_redis_is_away_is_finished_when_it_is_back(
    own_redis: Server, on_own_redis: Redis, spawn: Spawn, clean_store: None, tmp_path: Path
) -> None:
    spawn("worker.py")
    gate = tmp_path / "gate"
    enqueue.enqueue(new_job("note_and_wait_for_file", "slow", what="slow", path=str(gate)))
    wait_until(lambda: did(on_own_redis) == [b"slow"])
    own_redis.stop()
    gate.touch()
    own_redis.start()
    wait_until(lambda: on_own_redis.hget("rq:job:slow", "status") == b"finished")
    assert did(on_own_redis) == [b"slow"]


def test_processes_that_start_before_redis_wait_for_it(
    own_redis: Server, on_own_redis: Redis, spawn: Spawn, clean_store: None
) -> None:
    own_redis.stop()
    processes = [spawn("worker.py"), spawn("scheduler.py")]
    own_redis.start()
    wait_until(lambda: on_own_redis.exists("rq:workers", "rq:scheduler:scheduled_jobs") == 2)
    assert [process.poll() for process in processes] == [None, None]


def test_scripts_are_taught_again_after_script_flush(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue.enqueue(new_job("note", "one", what="one"))
    wait_until(lambda: ledger() == ["one"])
    redis().script_flush()
    enqueue.enqueue(new_job("note", "two", what="two"))
    wait_until(lambda: ledger() == ["one", "two"])


def test_a_full_redis_takes_no_new_job_but_the_worker_goes_on(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    redis().set("rq:suspended", 1)
    enqueue.enqueue(new_job("noop", "waiting", payload=""))
    unlimited = redis().config_get("maxmemory")["maxmemory"]
    try:
        redis().config_set("maxmemory", 1)
        with pytest.raises(enqueue.RedisError, match="OOM"):
            enqueue.enqueue(new_job("noop", "refused", payload=""))
        assert not redis().exists("rq:job:refused")
        redis().delete("rq:suspended")
        wait_until(lambda: status_of("waiting") == "finished")
    finally:
        redis().config_set("maxmemory", unlimited)


def test_rq_suspend_stops_new_jobs_and_resume_starts_them_again(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    redis().set("rq:suspended", 1)
    enqueue.enqueue(new_job("note", "later", what="later"))
    calls = redis().info("commandstats")["cmdstat_evalsha"]["calls"]
    enqueue.enqueue(new_job("note", "later2", what="later2"))
    assert ledger() == []
    assert redis().info("commandstats")["cmdstat_evalsha"]["calls"] - calls < 10
    redis().delete("rq:suspended")
    wait_until(lambda: len(ledger()) == 2)


def test_a_worker_outlives_a_failover_to_a_read_only_redis(start_worker: StartWorker) -> None:
    worker = start_worker(**FAST)
    redis().execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(enqueue.RedisError, match="READONLY"):
            enqueue.enqueue(new_job("note", "refused", what="refused"))
    finally:
        redis().execute_command("REPLICAOF", "NO", "ONE")
    enqueue.enqueue(new_job("note", "taken", what="taken"))
    wait_until(lambda: ledger() == ["taken"])
    assert worker.poll() is None


def test_a_redis_that_may_evict_jobs_is_warned_about(start_worker: StartWorker, tmp_path: Path) -> None:
    redis().config_set("maxmemory-policy", "allkeys-lru")
    try:
        start_worker(**FAST)
    finally:
        redis().config_set("maxmemory-policy", "noeviction")
    assert "set maxmemory-policy to noeviction" in (tmp_path / "worker-0.log").read_text()
