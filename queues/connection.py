"""One Redis client per process."""

from __future__ import annotations

from functools import lru_cache

from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

import config

__all__ = ["RedisError", "connect", "for_blocking", "redis"]

CONNECT_TIMEOUT = 2  # seconds; an absent Redis must not hold up a request
SOCKET_TIMEOUT = 5  # seconds; a worker's blocking wait sets its own


def connect(url: str, *, socket_timeout: float | None = SOCKET_TIMEOUT, retries: int = 1) -> Redis:
    """A client for `url`. redis:// and unix:// are plain, rediss:// is TLS with a checked certificate.

    `retries`: how often a command is repeated whose answer was lost; 0 where that could do harm.
    RESP 2 without a library name: then a new connection costs no command of its own.
    """
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return Redis.from_url(
        url,
        **keepalive,
        protocol=2,
        driver_info=None,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=socket_timeout,
        retry=Retry(NoBackoff(), retries),
    )


def for_blocking(client: Redis, longest: float) -> Redis:
    """A client of one connection for commands that block up to `longest` seconds; it never repeats one."""
    pool = client.connection_pool
    options = {
        **pool.connection_kwargs,
        "socket_timeout": longest + SOCKET_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
    }
    own_pool = ConnectionPool(connection_class=pool.connection_class, **options)
    return Redis(connection_pool=own_pool, single_connection_client=True)


@lru_cache(maxsize=1)
def redis() -> Redis:
    """The process' client."""
    return connect(config.settings().redis_location)
