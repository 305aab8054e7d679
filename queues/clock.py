"""Redis' clock, for locks, delays and rates: workers whose own clocks differ, or are set, agree on it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from redis import Redis

from queues.names import BY_PRIORITY
from queues.scripts import Call, run

_offset: float | None = None  # Redis' time minus this process' monotonic clock; None: not asked yet


def follow(connection: Redis) -> None:
    """Ask Redis for its time, and mend what waits too long when that was set back. Raises `RedisError`.

    Workers do at each heartbeat.
    """
    global _offset
    thought = 0.0 if _offset is None else now()
    before = time.monotonic()
    seconds, microseconds = map(int, run(connection, Call("follow", (), (thought, *BY_PRIORITY)))[0])
    _offset = seconds + microseconds / 1e6 - (before + time.monotonic()) / 2


def now() -> float:
    """Unix time by Redis' clock; by this machine's own in a process that does not follow it."""
    return time.time() if _offset is None else time.monotonic() + _offset


def moment() -> datetime:
    """The same as an aware datetime in UTC."""
    return datetime.fromtimestamp(now(), UTC)
