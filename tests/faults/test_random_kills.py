"""kill -9 of workers at any moment, again and again, under load; the ledger is compared afterwards."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import count

import pytest
from rq.registry import FailedJobRegistry
from rq.utils import as_text

from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from queues.job import Job
from queues.new_job import NewJob
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
from tests.waiting import wait_until

KINDS = ("work", "slow", "stumble", "fail")
PER_ROUND = 10  # jobs of each kind
LONGEST_LIFE = 0.08  # seconds from a worker's first job to its death: about as long as a round's jobs take


class Siege:
    """Two workers under load, of which one is killed in each round."""

    def __init__(self, start_worker: StartWorker, ledger: Ledger):
        self._start, self._ledger = start_worker, ledger
        self._numbers = count()
        self._chance = random.Random(5)
        self.workers = [start_worker(), start_worker()]
        self.killed: dict[int, str] = {}  # process id -> name
        self.enqueued: dict[str, str] = {}  # job id -> kind
        self.finished: dict[str, float] = {}  # job id -> when it was surely finished
        self.quarantined: set[str] = set()

    def round(self) -> None:
        self._enqueue()
        victim = self.workers.pop(0)
        wait_until(lambda: victim.pid in self._ledger.pids() or not self._waiting())
        time.sleep(self._chance.uniform(0, LONGEST_LIFE))  # somewhere in claim, run or finish
        self._kill(victim)
        self.workers.append(self._start())

    def _enqueue(self) -> None:
        jobs = dict(self._new_jobs())
        self.enqueued |= jobs
        enqueue_many([_job(job_id, kind) for job_id, kind in jobs.items()])

    def _new_jobs(self) -> Iterator[tuple[str, str]]:
        kinds = [kind for kind in KINDS for _ in range(PER_ROUND)]
        self._chance.shuffle(kinds)
        for kind in kinds:
            yield f"{kind}-{next(self._numbers)}", kind

    def _waiting(self) -> int:
        return int(redis().llen("rq:queue:analytics"))

    def _kill(self, victim: Process) -> None:
        self.killed[victim.pid] = name_of(victim.pid) or ""
        victim.kill()
        finished = redis().zrange("rq:finished:analytics", 0, -1)
        now = time.monotonic()  # after the answer: a job may start and finish while we ask
        for job_id in map(as_text, finished):
            self.finished.setdefault(job_id, now)
        self._lapse_locks()

    def _lapse_locks(self) -> None:
        """Of all that were killed: what one had sent may have reached Redis after its death."""
        lapse_locks_of(*self.killed.values())

    def settle(self) -> None:
        """Until all is done; what was quarantined is requeued by the operator."""
        self._lapse_locks()
        enqueue(new_job("work", "nudge"))
        self.enqueued["nudge"] = "work"
        self._wait_for_all()
        dead = FailedJobRegistry("analytics", connection=redis(), job_class=Job)
        self.quarantined = {job_id for job_id, kind in self.enqueued.items() if _is_quarantined(job_id, kind)}
        for job_id in self.quarantined:
            dead.requeue(job_id)
        self._wait_for_all()

    def _wait_for_all(self) -> None:
        try:
            wait_until(lambda: not self._unsettled(), timeout=90)
        except AssertionError:
            states = {job_id: redis().hgetall(f"rq:job:{job_id}") for job_id in self._unsettled()[:3]}
            raise AssertionError(f"{len(self._unsettled())} never end, like {states}") from None

    def _unsettled(self) -> list[str]:
        hasten_retries()
        with redis().pipeline(transaction=False) as pipeline:
            for job_id in self.enqueued:
                pipeline.hget(f"rq:job:{job_id}", "status")
            states = pipeline.execute()
        pairs = zip(self.enqueued, states, strict=True)
        return [job_id for job_id, state in pairs if state not in (b"finished", b"failed")]

    # What must be true in the end.

    def lost(self) -> list[str]:
        lines = self._ledger.by_job()
        return [
            f"{job_id}: {status_of(job_id)}, {[line.what for line in lines[job_id]]}"
            for job_id, kind in self.enqueued.items()
            if not _is_done(kind, status_of(job_id), {line.what for line in lines[job_id]})
        ]

    def started_after_their_end(self) -> list[str]:
        return [
            line.job_id
            for line in self._ledger.lines()
            if line.what == "start" and line.at > self.finished.get(line.job_id, line.at)
        ]

    def repeated(self) -> list[str]:
        found = self._ledger.repeated_without_cause(set(self.killed))
        return [text for text in found if text.split(":")[0] not in self.quarantined]


def _job(job_id: str, kind: str) -> NewJob:
    if kind == "slow":
        return new_job("work", job_id, seconds=0.02)
    return new_job(kind, job_id)


def _is_quarantined(job_id: str, kind: str) -> bool:
    return status_of(job_id) == "failed" and (
        kind != "fail" or "stalled" in Job.fetch(job_id, connection=redis()).latest_result().exc_string
    )


def _is_done(kind: str, status: str, seen: set[str]) -> bool:
    if kind == "fail":
        return status == "failed" and "failed" in seen
    return status == "finished" and "end" in seen


@pytest.mark.parametrize(
    "rounds", [6, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])]
)
def test_workers_killed_at_random_lose_no_job_and_repeat_none_that_had_ended(
    rounds: int, start_worker: StartWorker, ledger: Ledger
) -> None:
    siege = Siege(start_worker, ledger)
    for _ in range(rounds):
        siege.round()
    siege.settle()
    assert siege.lost() == []
    assert siege.repeated() == []
    assert siege.started_after_their_end() == []
    assert len(siege.quarantined) <= rounds  # who was running when two workers in a row were killed
    assert_nothing_is_under_way()
