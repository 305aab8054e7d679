"""A real Redis and a real document store for the whole run, emptied before each test that uses them.

Both are started on free ports, with their data in a fresh folder. Set MONGODB_URI to run against a real
MongoDB instead; databases of that server named `clianta_test_…` are used and emptied.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pymongo import monitoring
from pymongo.collection import Collection
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from sandbox import document_store, redis_server
from sandbox.process import Server
from tests.faults.proxy import Proxy

FOLDER = Path(tempfile.mkdtemp(prefix="clianta-tests-"))
_servers: list[Server] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers before the first import of the project reads its settings.

    With several test processes each has its own; their parent, which runs no test, has none.
    """
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    database = f"clianta_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    redis = redis_server.embedded(FOLDER / "redis")
    redis.start()
    _servers.append(redis)
    os.environ.update(
        DEMO="1", REDIS_URL=redis_server.url(redis), LOG_LEVEL="INFO", LOG_FORMAT="json", TZ="UTC"
    )
    if given := os.environ.get("MONGODB_URI"):
        os.environ["MONGODB_URI"] = urlsplit(given)._replace(path=f"/{database}").geturl()
        return
    store = document_store.embedded(FOLDER / "store")
    store.start()
    _servers.append(store)
    os.environ["MONGODB_URI"] = document_store.uri(store, database)


def pytest_unconfigure() -> None:
    for server in _servers:
        server.stop()
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_process() -> Server:
    """The running Redis, for tests that look at it from outside."""
    return _servers[0]


@pytest.fixture(scope="session")
def _store_ready() -> Iterator[None]:
    import config
    from models import store

    store.connect(config.settings().mongodb_uri.get_secret_value())
    store.ensure_indexes()
    yield
    store.disconnect()


@pytest.fixture
def store_network(_store_ready: None) -> Iterator[Proxy]:
    """What this process' connections to the store lead through."""
    import config
    from models import store

    uri = urlsplit(config.settings().mongodb_uri.get_secret_value())
    assert uri.port
    proxy = Proxy(uri.port)
    options = "&".join(filter(None, [uri.query, "directConnection=true"]))  # or it would get past the proxy
    store.disconnect()
    store.connect(uri._replace(netloc=f"127.0.0.1:{proxy.port}", query=options).geturl())
    yield proxy
    store.disconnect()
    proxy.close()
    store.connect(uri.geturl())


def _holding_documents(collections: list[Collection]) -> list[str]:
    """Names of those that hold a document: one question, where emptying all would be a command for each."""
    first, *others = ([{"$limit": 1}, {"$project": {"name": {"$literal": c.name}}}] for c in collections)
    unions = [
        {"$unionWith": {"coll": c.name, "pipeline": look}}
        for c, look in zip(collections[1:], others, strict=True)
    ]
    return [found["name"] for found in collections[0].aggregate([*first, *unions])]


@pytest.fixture
def clean_store(_store_ready: None) -> None:
    """The document store, with its indexes and without a document."""
    from models import store

    collections = {kind._get_collection().name: kind._get_collection() for kind in store.documents()}
    for name in _holding_documents(list(collections.values())):
        collections[name].delete_many({})


@pytest.fixture
def clean_redis() -> None:
    """Redis without a key."""
    from queues.connection import redis

    redis().flushall()


@pytest.fixture
def stores(clean_store: None, clean_redis: None) -> None:
    """Both, empty."""


@pytest.fixture
def run_jobs(stores: None) -> Callable[[], int]:
    """Run every queued job in this process until the queues are empty; returns how many ran.

    RQ's own SimpleWorker does it: a second reader of our jobs beside our worker.
    """
    from rq import SimpleWorker
    from rq.serializers import JSONSerializer

    from queues.connection import redis
    from queues.job import Job
    from queues.names import BY_PRIORITY

    class BurstWorker(SimpleWorker):
        def _install_signal_handlers(self) -> None:
            """Leave pytest's own."""

    def run() -> int:
        worker = BurstWorker(BY_PRIORITY, connection=redis(), job_class=Job, serializer=JSONSerializer)
        ran = 0
        while worker.work(burst=True, logging_level="WARNING"):
            ran += worker.successful_job_count
        return ran

    return run


@pytest.fixture
def client(stores: None) -> Iterator[object]:
    """A test client of the web app."""
    from app import create_app

    with create_app().test_client() as client:
        yield client


class _Commands(CommandListener):
    """Names of the commands that were sent to the store while `is_on`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.is_on = False

    def started(self, event: CommandStartedEvent) -> None:
        if self.is_on:
            self.names.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Counted when it started."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Counted when it started."""


_commands = _Commands()
# Before the first client is made: a client takes the listeners that are registered by then.
monitoring.register(_commands)


@pytest.fixture
def count_store_commands(clean_store: None) -> Callable[[], AbstractContextManager[list[str]]]:
    """`with count_store_commands() as names:` collects the commands that the block sends to the store."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        _commands.names, _commands.is_on = [], True
        try:
            yield _commands.names
        finally:
            _commands.is_on = False

    return counting


@pytest.fixture
def frugal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process, and those that it starts, have the profile for a Redis that bills commands."""
    from config import settings  # the servers' addresses stand in the environment by now

    monkeypatch.setenv("QUEUE_PROFILE", "frugal")
    settings.cache_clear()
    yield
    settings.cache_clear()
