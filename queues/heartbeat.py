"""Show that running jobs live: renew their locks, all with one script call."""

from __future__ import annotations

from collections.abc import Iterable

from rq.executions import Execution
from rq.job import Job as RqJob
from rq.registry import StartedJobRegistry
from rq.utils import utcformat

from queues import clock
from queues.claim import LOCK
from queues.scripts import Call


def call(running: Iterable[tuple[RqJob, Execution]]) -> Call:
    """The script call; replies per job 1, or 0 when its lock had lapsed and it is not ours any more."""
    jobs = [
        argument
        for job, execution in running
        for argument in (job.id, execution.id, StartedJobRegistry.key_template.format(job.origin))
    ]
    moment = clock.moment()
    return Call("heartbeat", keys=[], args=[moment.timestamp(), utcformat(moment), LOCK, *jobs])
