"""/healthz and /readyz: what is up, each by its name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from rq import Queue, SimpleWorker
from rq_scheduler import Scheduler

import config
from models import store
from queues.connection import connect, redis
from queues.names import BY_PRIORITY
from sandbox.process import Server, free_port


@pytest.fixture
def worker(clean_redis: None) -> Iterator[SimpleWorker]:
    connection = connect(config.settings().redis_location)  # of its own: RQ changes its timeouts
    registered = SimpleWorker(
        [Queue(name, connection=connection) for name in BY_PRIORITY], connection=connection
    )
    registered.register_birth()
    yield registered
    connection.close()


@pytest.fixture
def scheduler(clean_redis: None) -> Scheduler:
    registered = Scheduler(connection=redis())
    registered.register_birth()
    return registered


def test_the_process_is_alive_whatever_else_is_away(client: FlaskClient, redis_process: Server) -> None:
    redis_process.kill()
    try:
        assert client.get("/healthz").status_code == 200
    finally:
        redis_process.start()


def test_ready_means_that_all_four_answer(
    client: FlaskClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ok",
        "checks": {"redis": "ok", "store": "ok", "worker": "ok", "scheduler": "ok"},
    }


def test_a_missing_worker_and_a_missing_scheduler_are_named(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["worker"].startswith("no worker")
    assert answer.json["checks"]["scheduler"].startswith("no scheduler")
    assert answer.json["checks"]["redis"] == answer.json["checks"]["store"] == "ok"


def test_a_worker_that_has_left_does_not_count(
    client: FlaskClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    worker.register_death()
    checks = client.get("/readyz").json["checks"]
    assert checks["worker"].startswith("no worker")
    assert checks["scheduler"] == "ok"


def test_an_absent_redis_is_named(client: FlaskClient, redis_process: Server) -> None:
    redis_process.kill()
    try:
        answer = client.get("/readyz")
    finally:
        redis_process.start()
    assert answer.status_code == 503
    assert answer.json["checks"]["redis"].startswith("away (")
    assert answer.json["checks"]["store"] == "ok"


def test_an_absent_store_is_named(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    store.disconnect()
    with monkeypatch.context() as patch:
        patch.setattr(store, "SELECTION_TIMEOUT_MS", 200)
        store.connect(f"mongodb://127.0.0.1:{free_port()}/clianta_test")
    try:
        answer = client.get("/readyz")
    finally:
        store.disconnect()
        store.connect(config.settings().mongodb_uri.get_secret_value())
    assert answer.status_code == 503
    assert answer.json["checks"]["store"].startswith("away (")
    assert answer.json["checks"]["redis"] == "ok"
