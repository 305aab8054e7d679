"""A world of processes on the test's Redis and store, with a ledger of what their jobs did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rq.utils import as_text

import config
from queues import keys
from queues.connection import redis
from queues.enqueue import NewJob
from queues.names import QUEUES
from sandbox.process import Server
from tests.faults.ledger import VARIABLE, Ledger
from tests.faults.processes import Nursery, Process
from tests.faults.proxy import Proxy
from tests.waiting import wait_until

QUICK = {"QUEUE_MAX_JOBS_PER_SECOND": "0", "SHUTDOWN_GRACE": "3"}
KEEP_ALL = {"COMPLETED_JOBS_KEEP": "1000000", "FAILED_JOBS_KEEP": "1000000"}  # or who ended could not be told


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: else processes that have run all the others wait for the last of them."""
    items.sort(key=lambda item: item.get_closest_marker("soak") is None)


@pytest.fixture(params=["standard", "frugal"])
def profile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each of the engine's two: of this process, and of those that it starts."""
    monkeypatch.setenv("QUEUE_PROFILE", request.param)
    config.settings.cache_clear()
    yield request.param
    config.settings.cache_clear()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def nursery(stores: None, ledger: Ledger, tmp_path: Path) -> Iterator[Nursery]:
    """Where processes are started. At its end all are stopped; one that outlives its SIGTERM is a failure."""
    nursery = Nursery(tmp_path, {**QUICK, **KEEP_ALL, VARIABLE: str(ledger.path)})
    yield nursery
    left = nursery.stop_all()
    nursery.close()
    assert left == []


StartWorker = Callable[..., Process]


@pytest.fixture
def start_worker(nursery: Nursery) -> StartWorker:
    """Start worker.py and wait until it is registered."""

    def start(**environment: str) -> Process:
        process = nursery.start("worker", **environment)
        wait_until(lambda: name_of(process.pid), what="the worker's registration")
        return process

    return start


@pytest.fixture
def proxies(redis_process: Server) -> Iterator[Callable[[], Proxy]]:
    """Make a network to the test's Redis."""
    made: list[Proxy] = []

    def make() -> Proxy:
        made.append(Proxy(redis_process.port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def new_job(func: str, job_id: str, queue: str = "analytics", **kwargs: object) -> NewJob:
    return NewJob(queue, f"tests.faults.jobs.{func}", job_id, {"job_id": job_id, **kwargs})


def name_of(pid: int) -> str | None:
    """As RQ knows it; None when it is not registered."""
    for key in map(as_text, redis().smembers("rq:workers")):
        if redis().hget(key, "pid") == str(pid).encode():
            return key.removeprefix("rq:worker:")
    return None


def lapse_locks_of(*worker_names: str) -> None:
    """As if the locks of dead workers' jobs had lapsed; the jobs are seen at the next look of another.

    In the frugal profile it is the worker's own key that lapses, and the next start of another that looks.
    """
    for name in filter(None, worker_names):
        if redis().hexists(keys.FRUGAL_WORKERS, name):
            redis().delete(f"rq:worker:{name}")
    for queue in QUEUES:
        for member in map(as_text, redis().zrange(f"rq:wip:{queue}", 0, -1)):
            owner = redis().hget(f"rq:job:{member.split(':')[0]}", "worker_name")
            if as_text(owner or b"") in worker_names:
                redis().zadd(f"rq:wip:{queue}", {member: time.time() - 1}, xx=True)


def hasten_retries(queue: str = "analytics") -> None:
    """What is to be retried is due now, and a worker looks; nobody need sit it out."""
    for job_id in redis().zrange(f"rq:scheduled:{queue}", 0, -1):
        if redis().zadd(f"rq:scheduled:{queue}", {job_id: 1}, xx=True, ch=True):
            redis().rpush("clianta:doorbell", "1")


def status_of(job_id: str) -> str:
    return (redis().hget(f"rq:job:{job_id}", "status") or b"").decode()


def has_finished(job_id: str) -> bool:
    """In the frugal profile a success leaves nothing: that it was one, the ledger says."""
    return status_of(job_id) in (("finished", "") if config.settings().is_frugal else ("finished",))


def assert_nothing_is_under_way() -> None:
    """No job waits, runs or is to be retried, and no key of a run is left, once a last finish has arrived."""
    kinds = ("rq:queue:", "rq:wip:", "rq:scheduled:", "rq:deferred:", "rq:execution", "clianta:taken:")

    def left() -> list[str]:
        return [key for key in map(as_text, redis().scan_iter(count=5_000)) if key.startswith(kinds)]

    with suppress(AssertionError):  # the list says more
        wait_until(lambda: not left(), timeout=2)
    assert left() == []
