"""Who is alive: workers and schedulers whose key in Redis has not lapsed."""

from __future__ import annotations

from rq.worker_registration import REDIS_WORKER_KEYS

from queues.connection import redis

SCHEDULER_PREFIX = "rq:scheduler_instance:"  # as rq-scheduler names it


def workers() -> list[str]:
    """Names of the live workers."""
    keys = [key.decode() for key in redis().smembers(REDIS_WORKER_KEYS)]  # type: ignore[union-attr]
    return [
        key.rsplit(":", 1)[1] for key in keys if redis().exists(key) and not redis().hexists(key, "death")
    ]


def schedulers() -> list[str]:
    """Names of the live schedulers."""
    keys = [key.decode() for key in redis().scan_iter(f"{SCHEDULER_PREFIX}*", count=1_000)]
    return [key.removeprefix(SCHEDULER_PREFIX) for key in keys if not redis().hexists(key, "death")]
