"""Make the queues known to RQ's tools: they list what stands in the set `rq:queues`."""

from __future__ import annotations

from contextlib import suppress

from redis import Redis
from redis.exceptions import OutOfMemoryError

from queues import keys
from queues.names import QUEUES


def register_queues(connection: Redis) -> None:
    """Enter every queue of the table, used or not. One command; safe to repeat. Raises `RedisError`.

    A full Redis takes no new name: then the next enqueue on a queue enters it.
    """
    with suppress(OutOfMemoryError):
        connection.sadd(keys.ALL_QUEUES, *(keys.queue_key(name) for name in QUEUES))
