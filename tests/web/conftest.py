"""What the web process needs is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import config
from models import store
from sandbox.process import Server, answers, free_port


@pytest.fixture
def no_redis(api: object, redis_process: Server) -> Iterator[Server]:
    """Redis, dead until the test starts it again."""
    redis_process.kill()
    yield redis_process
    if not answers(redis_process.port):
        redis_process.start()


@pytest.fixture
def no_store(api: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process' connection leads to a port where nobody listens."""
    uri = config.settings().mongodb_uri.get_secret_value()
    store.disconnect()
    with monkeypatch.context() as patch:
        patch.setattr(store, "SELECTION_TIMEOUT_MS", 200)
        store.connect(f"mongodb://127.0.0.1:{free_port()}/clianta_test")
    yield
    store.disconnect()
    store.connect(uri)
