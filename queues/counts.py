"""How many jobs each queue holds, by state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rq.registry import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)

from queues import keys
from queues.connection import redis
from queues.names import BY_PRIORITY

# In the order of QueueCounts' fields.
_REGISTRIES = (
    StartedJobRegistry,
    ScheduledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    DeferredJobRegistry,
    CanceledJobRegistry,
)


@dataclass(frozen=True)
class QueueCounts:
    """Numbers of jobs. `scheduled` are retries that wait for their time; `failed` are the dead letters."""

    name: str
    waiting: int
    running: int
    scheduled: int
    failed: int
    finished: int
    deferred: int
    canceled: int


def counts(names: Iterable[str] = BY_PRIORITY) -> list[QueueCounts]:
    """One row per queue, in one round trip of seven commands a queue. Raises `RedisError`."""
    names = list(names)
    with redis().pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.llen(keys.queue_key(name))
            for registry in _REGISTRIES:
                pipeline.zcard(registry.key_template.format(name))
        numbers = pipeline.execute()
    width = 1 + len(_REGISTRIES)
    return [QueueCounts(name, *numbers[i * width : (i + 1) * width]) for i, name in enumerate(names)]
