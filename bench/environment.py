"""What a benchmark's processes run in: a fresh Redis of their own, and an environment that points to it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis

from sandbox import document_store, redis_server
from sandbox.process import Server, free_port

ROOT = Path(__file__).parents[1]


class Place:
    """A folder, a running Redis, and the environment of the processes that use them."""

    def __init__(self, folder: Path, redis_url: str, environment: dict[str, str]):
        self.folder = folder
        self.redis = Redis.from_url(redis_url, protocol=2, driver_info=None)
        self.environment = {
            **os.environ,
            "DEMO": "1",
            "REDIS_URL": redis_url,
            # Nothing answers there: the jobs of benchmarks use no store.
            "MONGODB_URI": f"mongodb://127.0.0.1:{free_port()}/bench",
            "LOG_LEVEL": "WARNING",
            "QUEUE_MAX_JOBS_PER_SECOND": "0",
            "PYTHONPATH": str(ROOT),
            **environment,
        }


@contextmanager
def place(*, with_store: bool = False, **environment: str) -> Iterator[Place]:
    """Start a Redis, and a document store if need be, for the block; their data goes with them."""
    with tempfile.TemporaryDirectory(prefix="clianta-bench-") as name, ExitStack() as stack:
        redis = _started(redis_server.embedded(Path(name) / "redis"), stack)
        if with_store:
            store = _started(document_store.embedded(Path(name) / "store"), stack)
            environment["MONGODB_URI"] = document_store.uri(store, "bench")
        yield Place(Path(name), redis_server.url(redis), environment)


def _started(server: Server, stack: ExitStack) -> Server:
    server.start()
    stack.callback(server.kill)  # nothing of it is needed any more
    return server
