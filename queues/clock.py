"""Redis' clock, for locks, delays and rates: workers whose own clocks differ, or are set, agree on it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from redis import Redis

_offset: float | None = None  # Redis' time minus this process' monotonic clock; None: not asked yet


def follow(connection: Redis) -> None:
    """Ask Redis for its time; workers do at each heartbeat. One command. Raises `RedisError`."""
    global _offset
    before = time.monotonic()
    seconds, microseconds = connection.time()
    _offset = seconds + microseconds / 1e6 - (before + time.monotonic()) / 2


def now() -> float:
    """Unix time by Redis' clock; by this machine's own in a process that does not follow it."""
    return time.time() if _offset is None else time.monotonic() + _offset


def moment() -> datetime:
    """The same as an aware datetime in UTC."""
    return datetime.fromtimestamp(now(), UTC)
