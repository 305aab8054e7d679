"""Who is alive: workers and schedulers whose key in Redis has not lapsed."""

from __future__ import annotations

from rq.utils import as_text
from rq.worker_registration import REDIS_WORKER_KEYS

from queues.connection import redis

SCHEDULER_PREFIX = "rq:scheduler_instance:"  # as rq-scheduler names it


def workers() -> list[str]:
    """Names of the live workers."""
    keys = sorted(map(as_text, redis().smembers(REDIS_WORKER_KEYS)))
    with redis().pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, "birth", "death")
        lives = pipeline.execute()
    pairs = zip(keys, lives, strict=True)
    return [key.rsplit(":", 1)[1] for key, (birth, death) in pairs if birth and not death]


def schedulers() -> list[str]:
    """Names of the live schedulers."""
    keys = [key.decode() for key in redis().scan_iter(f"{SCHEDULER_PREFIX}*", count=1_000)]
    return [key.removeprefix(SCHEDULER_PREFIX) for key in keys if not redis().hexists(key, "death")]
