"""How often one address may try to log in: counted in Redis for all web processes together."""

from __future__ import annotations

from functools import lru_cache

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from queues.connection import RedisError, redis
from web.public.rate_limit import counted_as

PER_MINUTE = 10  # enough for a person who mistypes, hopeless for guessing
_LIMIT = RateLimitItemPerMinute(PER_MINUTE)


def is_allowed(address: str) -> bool:
    """Count an attempt; whether it is within the limit. With Redis away this process counts alone."""
    key = ("admin-login", counted_as(address))
    try:
        return _in_redis().hit(_LIMIT, *key)
    except RedisError:
        return _in_memory().hit(_LIMIT, *key)


@lru_cache(maxsize=1)
def _in_redis() -> FixedWindowRateLimiter:
    # The address is only for show: the pool is our own client's.
    return FixedWindowRateLimiter(RedisStorage("redis://", connection_pool=redis().connection_pool))


@lru_cache(maxsize=1)
def _in_memory() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())
