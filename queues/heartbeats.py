"""Who is alive: workers and schedulers whose key in Redis has not lapsed."""

from __future__ import annotations

from redis import Redis
from rq.utils import as_text
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from queues.connection import redis
from queues.names import QUEUES
from queues.scripts import Call, run

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


def forget_dead_workers(connection: Redis) -> int:
    """Strike those off RQ's lists whose key has lapsed, as when they were killed; returns how many."""
    lists = [REDIS_WORKER_KEYS, *(WORKERS_BY_QUEUE_KEY % name for name in QUEUES)]
    return int(run(connection, Call("forget_workers", lists, []))[0])
