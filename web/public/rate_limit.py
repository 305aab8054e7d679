"""How many requests one address may send: counted in Redis for all web processes together.

While Redis is away each process counts for itself: the public API stays open, and stays limited.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable

import structlog
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.exceptions import TooManyRequests

from queues import connection

REDIS_PAUSE = 10  # seconds without a new try after Redis failed: a request must not wait for it each time
IPV6_PREFIX = 64  # bits: what one subscriber gets, so what one subscriber can vary

log = structlog.get_logger()


def counted_as(address: str | None) -> str:
    """The address that a request counts for: an IPv6 one stands for its whole /64 network."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:  # a Unix socket: whoever is behind it shares one limit
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False).network_address)


class RateLimiter:
    """A sliding window per address and kind of request."""

    def __init__(self, limit: RateLimitItem, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        # The pool is that of the process' client; the URL only names the kind of store.
        pool = connection.redis().connection_pool
        storage = RedisStorage("redis://", connection_pool=pool, key_prefix="clianta:requests")
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis_again_at = -math.inf  # by the clock, in seconds

    def hit(self, address: str | None, kind: str) -> None:
        """Count one request. Raises `TooManyRequests`, saying when to come back."""
        key = (kind, counted_as(address))
        if self._clock() >= self._redis_again_at:
            try:
                self._count(self._shared, key)
                return
            except connection.RedisError as error:
                self._redis_again_at = self._clock() + REDIS_PAUSE
                log.warning("⏸️  Redis is away: requests are counted per process", error=type(error).__name__)
        self._count(self._local, key)

    def _count(self, limiter: SlidingWindowCounterRateLimiter, key: tuple[str, str]) -> None:
        if limiter.hit(self._limit, *key):
            return
        wait = math.ceil(limiter.get_window_stats(self._limit, *key).reset_time - time.time())
        raise TooManyRequests(
            f"more than {self._limit.amount} requests a minute from one address; wait",
            retry_after=max(1, wait),
        )
