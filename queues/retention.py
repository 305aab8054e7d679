"""Keep Redis small: drop finished and failed jobs that are too old or too many, and dead workers' names."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import OutOfMemoryError
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry
from rq.utils import as_text

import config
from queues import heartbeats, keys
from queues.names import QUEUES
from queues.scripts import Call, run

EVERY = 300  # seconds between two trims, by one worker of the fleet
CHUNK = 500  # jobs deleted by one command


def trim_when_due(connection: Redis, every: int = EVERY) -> int:
    """Trim if no worker has within that many seconds; returns how many jobs were dropped."""
    with suppress(OutOfMemoryError):  # a full Redis takes no note of it, and needs it most
        if not connection.set(keys.LAST_TRIM, "1", nx=True, ex=every):
            return 0
    heartbeats.forget_dead_workers(connection)
    return trim(connection)


def trim(connection: Redis) -> int:
    """Drop what exceeds the settings' age or number; returns how many jobs were. Safe to run at any time."""
    settings = config.settings()
    return sum(
        _trim_registry(connection, registry.key_template.format(name), most)
        for name in QUEUES
        for registry, most in (
            (FinishedJobRegistry, settings.completed_jobs_keep),
            (FailedJobRegistry, settings.failed_jobs_keep),
            (CanceledJobRegistry, settings.failed_jobs_keep),
        )
    )


def _trim_registry(connection: Redis, registry: str, most: int) -> int:
    """A registry's scores are the times its jobs lapse, so the oldest come first."""
    lapsed = int(connection.zcount(registry, "-inf", time.time()))
    too_many = int(connection.zcard(registry)) - most
    left = dropped = max(lapsed, too_many, 0)
    while left > 0:
        oldest: Any = connection.zrange(registry, 0, min(left, CHUNK) - 1)
        ids = list(map(as_text, oldest))
        if not ids:
            break
        run(connection, Call("drop", [registry], ids))
        left -= len(ids)
    return dropped - max(left, 0)
