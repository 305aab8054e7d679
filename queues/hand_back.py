"""Give back what a stopping worker could not finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from redis import Redis
from rq.registry import StartedJobRegistry
from rq.utils import as_text, now

from queues import times
from queues.claim import Claimed
from queues.names import BY_PRIORITY
from queues.scripts import Call, run


def hand_back(connection: Redis, worker_name: str, unfinished: Iterable[Claimed]) -> int:
    """Put the jobs back to the front of their queues without counting a try; returns how many."""
    return _hand_back(connection, worker_name, [(c.job.id, c.execution.id, c.job.origin) for c in unfinished])


def hand_back_unknown(
    connection: Redis, worker_name: str, prefix: str, is_known: Callable[[str], bool]
) -> int:
    """Put back what Redis has claimed for the worker without its knowing: the answer to a claim was lost.

    `prefix`: how the ids of the worker's executions begin.
    """
    with connection.pipeline(transaction=False) as pipeline:
        for queue in BY_PRIORITY:
            pipeline.zrange(StartedJobRegistry.key_template.format(queue), 0, -1)
        found = zip(BY_PRIORITY, pipeline.execute(), strict=True)
    running = [(*as_text(m).rpartition(":")[::2], queue) for queue, members in found for m in members]
    ours = [job for job in running if job[1].startswith(prefix) and not is_known(job[1])]
    return _hand_back(connection, worker_name, ours)


def _hand_back(connection: Redis, worker_name: str, jobs: Sequence[tuple[str, str, str]]) -> int:
    """`jobs`: their ids, the ids of their executions, and their queues."""
    if not jobs:
        return 0
    arguments = [argument for job in jobs for argument in job]
    call = Call("hand_back", (), [times.text(now()), worker_name, *arguments])
    return int(run(connection, call)[0])
