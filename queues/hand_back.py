"""Give back what a stopping worker could not finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from redis import Redis
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.registry import StartedJobRegistry
from rq.utils import as_text, now, parse_composite_key, utcformat

from queues import keys
from queues.claim import Claimed
from queues.job import Job
from queues.scripts import Call, run


def hand_back(connection: Redis, worker_name: str, unfinished: Iterable[Claimed]) -> int:
    """Put the jobs back to the front of their queues without counting a try; returns how many."""
    return _hand_back(connection, worker_name, [(c.job.id, c.execution.id, c.job.origin) for c in unfinished])


def hand_back_unknown(connection: Redis, worker_name: str, is_known: Callable[[str], bool]) -> int:
    """Put back what Redis has claimed for the worker without its knowing: the answer to a claim was lost."""
    members = map(as_text, connection.smembers(WORKER_EXECUTIONS_KEY_TEMPLATE.format(worker_name)))
    pairs = [parse_composite_key(member) for member in members]
    unknown = [(job_id, execution) for job_id, execution in pairs if not is_known(execution)]
    with connection.pipeline(transaction=False) as pipeline:
        for job_id, _ in unknown:
            pipeline.hget(Job.key_for(job_id), "origin")
        origins = pipeline.execute()
    found = zip(unknown, origins, strict=True)
    return _hand_back(connection, worker_name, [(*pair, as_text(name)) for pair, name in found if name])


def _hand_back(connection: Redis, worker_name: str, jobs: Sequence[tuple[str, str, str]]) -> int:
    """`jobs`: their ids, the ids of their executions, and their queues."""
    if not jobs:
        return 0
    args = [
        argument
        for job_id, execution, queue in jobs
        for argument in (
            job_id,
            execution,
            keys.queue_key(queue),
            StartedJobRegistry.key_template.format(queue),
        )
    ]
    call = Call(
        "hand_back",
        keys=[keys.DOORBELL, WORKER_EXECUTIONS_KEY_TEMPLATE.format(worker_name)],
        args=[utcformat(now()), *args],
    )
    return int(run(connection, call)[0])
