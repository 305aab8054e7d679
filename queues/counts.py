"""How many jobs each queue holds, by state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rq.registry import (
    BaseRegistry,
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

# By the names of QueueCounts' fields, and in their order.
REGISTRIES: dict[str, type[BaseRegistry]] = {
    "running": StartedJobRegistry,
    "scheduled": ScheduledJobRegistry,
    "failed": FailedJobRegistry,
    "finished": FinishedJobRegistry,
    "deferred": DeferredJobRegistry,
    "canceled": CanceledJobRegistry,
}


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
    """One row per queue, in one round trip of eight commands a queue. Raises `RedisError`."""
    names = list(names)
    with redis().pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hget(keys.LANES, name)
            pipeline.llen(keys.queue_key(name))
            for registry in REGISTRIES.values():
                pipeline.zcard(registry.key_template.format(name))
        numbers = pipeline.execute()
    width = 2 + len(REGISTRIES)
    rows = [numbers[i * width : (i + 1) * width] for i in range(len(names))]
    return [
        QueueCounts(name, int(in_lanes or 0) + in_list, *others)
        for name, (in_lanes, in_list, *others) in zip(names, rows, strict=True)
    ]
