"""What a benchmark's processes run in: a fresh Redis of their own, and an environment that points to it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from sandbox import redis_server
from sandbox.process import free_port

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
def place(**environment: str) -> Iterator[Place]:
    """Start a Redis for the block; the data goes with it."""
    with tempfile.TemporaryDirectory(prefix="clianta-bench-") as name:
        server = redis_server.embedded(Path(name) / "redis")
        server.start()
        try:
            yield Place(Path(name), redis_server.url(server), environment)
        finally:
            server.stop()
