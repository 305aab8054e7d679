"""Give back what a stopping worker could not finish."""

from __future__ import annotations

from collections.abc import Iterable

from redis import Redis
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.registry import StartedJobRegistry
from rq.utils import now, utcformat

from queues import keys
from queues.claim import Claimed
from queues.scripts import Call, run


def hand_back(connection: Redis, worker_name: str, unfinished: Iterable[Claimed]) -> int:
    """Put the jobs back to the front of their queues without counting a try; returns how many."""
    jobs = [
        argument
        for claimed in unfinished
        for argument in (
            claimed.job.id,
            claimed.execution.id,
            keys.queue_key(claimed.job.origin),
            StartedJobRegistry.key_template.format(claimed.job.origin),
        )
    ]
    if not jobs:
        return 0
    call = Call(
        "hand_back",
        keys=[keys.DOORBELL, WORKER_EXECUTIONS_KEY_TEMPLATE.format(worker_name)],
        args=[utcformat(now()), *jobs],
    )
    return int(run(connection, call)[0])
