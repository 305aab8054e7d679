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
    """One row per queue, in one round trip of seven commands a queue and one more. Raises `RedisError`."""
    names = list(names)
    with redis().pipeline(transaction=False) as pipeline:
        pipeline.hmget(keys.LANES, names or ["none"])
        for name in names:
            pipeline.llen(keys.queue_key(name))
            for registry in REGISTRIES.values():
                pipeline.zcard(registry.key_template.format(name))
        in_lanes, *numbers = pipeline.execute()
    width = 1 + len(REGISTRIES)
    rows = [numbers[i * width : (i + 1) * width] for i in range(len(names))]
    return [
        QueueCounts(name, int(laned or 0) + listed, *others)
        for name, laned, (listed, *others) in zip(names, in_lanes, rows, strict=False)
    ]
