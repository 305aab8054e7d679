"""Make the queues known to RQ's tools: they list what stands in the set `rq:queues`."""

from __future__ import annotations

from redis import Redis

from queues import keys
from queues.names import QUEUES


def register_queues(connection: Redis) -> None:
    """Enter every queue of the table, used or not. One command; safe to repeat. Raises `RedisError`."""
    connection.sadd(keys.ALL_QUEUES, *(keys.queue_key(name) for name in QUEUES))
