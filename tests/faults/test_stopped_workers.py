"""Workers that stand still for longer than their jobs' locks, and supervisors that are killed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from rq.registry import FinishedJobRegistry

from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from queues.job import Job
from tests.faults.conftest import (
    StartWorker,
    assert_nothing_is_under_way,
    lapse_locks_of,
    name_of,
    new_job,
    status_of,
)
from tests.faults.ledger import Ledger
from tests.faults.processes import HUNG_COMPUTING, Nursery
from tests.waiting import wait_until

LOCK = 60  # seconds that a dead worker holds its jobs (queues/claim.py)


def test_a_job_of_a_stopped_worker_runs_elsewhere_and_its_late_end_changes_nothing(
    start_worker: StartWorker, ledger: Ledger, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    stopped = start_worker()
    enqueue(new_job("wait_for_file", "held", path=str(gate)))
    wait_until(lambda: ledger.count("start") == {"held": 1})
    stopped.send(signal.SIGSTOP)
    lapse_locks_of(name_of(stopped.pid) or "")
    other = start_worker()
    wait_until(lambda: ledger.count("start") == {"held": 2}, what="the start elsewhere")
    gate.touch()
    wait_until(lambda: status_of("held") == "finished")
    before = redis().hgetall("rq:job:held")

    stopped.send(signal.SIGCONT)
    wait_until(lambda: ledger.count("end") == {"held": 2}, what="the late end")
    enqueue_many([new_job("work", f"after-{n}", seconds=0.05) for n in range(20)])
    wait_until(lambda: all(status_of(f"after-{n}") == "finished" for n in range(20)))
    assert {line.pid for line in ledger.lines() if line.job_id != "held"} == {stopped.pid, other.pid}
    assert redis().hgetall("rq:job:held") == before
    finished = FinishedJobRegistry("analytics", connection=redis(), job_class=Job)
    assert finished.get_job_ids().count("held") == 1
    assert_nothing_is_under_way()


def test_an_idle_worker_that_stood_still_for_long_goes_on_and_a_job_that_hangs_it_still_ends_it(
    start_worker: StartWorker, ledger: Ledger
) -> None:
    stuck_after = 2
    worker = start_worker(STUCK_AFTER=str(stuck_after))
    enqueue(new_job("work", "before"))
    wait_until(lambda: ledger.count("end") == {"before": 1})
    resting_since = time.monotonic()
    wait_until(lambda: time.monotonic() > resting_since + stuck_after)  # the timer is off by then
    worker.send(signal.SIGSTOP)
    stopped_at = time.monotonic()
    wait_until(lambda: time.monotonic() > stopped_at + 1.5 * stuck_after)
    worker.send(signal.SIGCONT)
    enqueue(new_job("work", "after"))
    wait_until(lambda: ledger.count("end") == {"before": 1, "after": 1})
    assert ledger.pids() == {worker.pid}
    enqueue(new_job("hold_the_interpreter", "hang"))
    assert worker.ended() in HUNG_COMPUTING


def test_a_worker_that_stood_still_for_long_while_a_job_ran_goes_on(
    start_worker: StartWorker, ledger: Ledger, tmp_path: Path
) -> None:
    stuck_after = 2
    gate = tmp_path / "gate"
    worker = start_worker(STUCK_AFTER=str(stuck_after))
    enqueue(new_job("wait_for_file", "held", path=str(gate)))
    wait_until(lambda: ledger.count("start") == {"held": 1})
    worker.send(signal.SIGSTOP)
    stopped_at = time.monotonic()
    wait_until(lambda: time.monotonic() > stopped_at + 1.5 * stuck_after)
    worker.send(signal.SIGCONT)
    gate.touch()
    wait_until(lambda: status_of("held") == "finished")
    enqueue(new_job("hold_the_interpreter", "hang"))
    assert worker.ended() in HUNG_COMPUTING
    assert ledger.count("start") == {"held": 1, "hang": 1}


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_jobs_of_a_killed_worker_come_back_when_their_locks_lapse_by_themselves(
    start_worker: StartWorker, ledger: Ledger, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    victim = start_worker()
    ids = [f"held-{n}" for n in range(3)]
    enqueue_many([new_job("wait_for_file", job_id, path=str(gate)) for job_id in ids])
    wait_until(lambda: ledger.count("start") == dict.fromkeys(ids, 1))
    start_worker()
    victim.kill()
    gate.touch()
    wait_until(lambda: all(status_of(job_id) == "finished" for job_id in ids), timeout=LOCK + 10)
    assert ledger.count("start") == dict.fromkeys(ids, 2)
    assert_nothing_is_under_way()


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_a_job_that_runs_for_longer_than_its_lock_keeps_it(
    start_worker: StartWorker, ledger: Ledger, tmp_path: Path
) -> None:
    for _ in range(2):
        start_worker()
    enqueue(new_job("work", "long", seconds=2 * LOCK))
    wait_until(lambda: status_of("long") == "finished", timeout=2 * LOCK + 20)
    assert ledger.count("start") == {"long": 1}


def test_processes_whose_supervisor_was_killed_do_not_stay(nursery: Nursery) -> None:
    parent = nursery.start("worker", WORKER_PROCESSES="2")
    wait_until(lambda: redis().scard("rq:workers") == 2, timeout=30, what="two processes")
    assert len(nursery.living()) == 3
    parent.kill()
    wait_until(lambda: nursery.living() == [], what="the end of the orphans")
