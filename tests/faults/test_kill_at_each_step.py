"""kill -9 of a worker around each message between it and Redis while it claims, runs and finishes a job.

The network between the two does it: a worker dies before its nth message arrives, or when Redis has done what
it says and the answer is on its way. So no step is left out, whatever the engine's scripts are.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from queues.connection import redis
from queues.enqueue import enqueue
from tests.faults.conftest import (
    StartWorker,
    assert_nothing_is_under_way,
    hasten_retries,
    lapse_locks_of,
    name_of,
    new_job,
    status_of,
)
from tests.faults.ledger import Ledger
from tests.faults.processes import Process
from tests.faults.proxy import Proxy
from tests.waiting import wait_until

FEWEST_STEPS, MOST_STEPS = 2, 40
ENDS = {"work": "finished", "stumble": "finished", "fail": "failed"}  # kind of job -> its status in the end


@dataclass
class Assassin:
    """Sits in the network of a worker, and kills it at the nth message that passes."""

    proxy: Proxy
    worker: Process
    left: int = 0

    def wait_for(self, message: int, *, is_answered: bool) -> None:
        self.left = message
        if is_answered:
            self.proxy.on_reply = self._look
        else:
            self.proxy.on_request = self._look

    def _look(self, _message: bytes) -> bool:
        self.left -= 1
        if self.left == 0:
            self.worker.send(signal.SIGKILL)
        return self.left > 0


def has_ended(job_id: str) -> bool:
    hasten_retries()
    return status_of(job_id) == ENDS[job_id.split("-")[0]]


def is_idle() -> bool:
    """Whether the only worker waits on the bell."""
    return int(redis().info("clients")["blocked_clients"]) == 1


@pytest.mark.parametrize("is_answered", [False, True], ids=["before-it-arrives", "when-it-is-done"])
@pytest.mark.parametrize("kind", ENDS)
def test_a_worker_killed_at_any_message_loses_no_job(
    kind: str,
    is_answered: bool,
    start_worker: StartWorker,
    proxies: Callable[[], Proxy],
    ledger: Ledger,
) -> None:
    def start() -> Assassin:
        proxy = proxies()
        return Assassin(proxy, start_worker(REDIS_URL=proxy.url))

    killed: set[int] = set()
    assassin = start()
    for step in range(1, MOST_STEPS):
        job_id, worker = f"{kind}-{step}", assassin.worker
        name = name_of(worker.pid)
        assert name
        wait_until(is_idle, what="an idle worker")
        assassin.wait_for(step, is_answered=is_answered)
        enqueue(new_job(kind, job_id))
        wait_until(lambda: worker.code() is not None or (has_ended(job_id) and is_idle()))  # noqa: B023
        if worker.code() is None:
            break
        killed.add(worker.pid)
        lapse_locks_of(name)
        assassin = start()
        wait_until(lambda: has_ended(job_id), what=f"the end of {job_id}")  # noqa: B023
    assert FEWEST_STEPS <= len(killed) < MOST_STEPS - 1
    assert ledger.repeated_without_cause(killed) == []
    assert max(ledger.count("start").values()) <= (3 if kind == "stumble" else 2)
    assert all(lines[-1].what in ("end", "failed") for lines in ledger.by_job().values())
    assert_nothing_is_under_way()
