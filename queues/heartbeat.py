"""Show that running jobs live: renew their locks, and make them known to RQ's tools. One script call."""

from __future__ import annotations

from collections.abc import Iterable

from queues import clock, times
from queues.claim import LOCK, Claimed
from queues.scripts import Call


def call(worker_name: str, running: Iterable[Claimed]) -> Call:
    """The script call; replies per job 1, or 0 when its lock had lapsed and it is not ours any more."""
    jobs: list[object] = []
    for each in running:
        each.is_shown = True  # before the look at is_over: so a job that ends meanwhile leaves nothing behind
        if each.is_over:
            continue
        execution = each.execution
        jobs += [each.job.id, execution.id, each.job.origin, execution.created_at.timestamp()]
    moment = clock.moment()
    return Call("heartbeat", (), [moment.timestamp(), times.text(moment), LOCK, worker_name, *jobs])
