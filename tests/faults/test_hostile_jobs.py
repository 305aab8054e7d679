"""Jobs that take their worker's process down, or hold it up; the others run all the same."""

from __future__ import annotations

import time

import psutil
import pytest

from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from tests.faults.conftest import (
    StartWorker,
    assert_nothing_is_under_way,
    has_finished,
    hasten_retries,
    lapse_locks_of,
    name_of,
    new_job,
    status_of,
)
from tests.faults.ledger import Ledger
from tests.faults.processes import HUNG_COMPUTING, HUNG_STILL, Nursery
from tests.waiting import wait_until

OTHERS = 20
QUIET = 2.0  # seconds without a start or an end: whatever has a lock then, does not run


def enqueue_others() -> list[str]:
    ids = [f"work-{n}" for n in range(OTHERS)]
    enqueue_many([new_job("work", job_id, seconds=0.01) for job_id in ids])
    return ids


def have_finished(ids: list[str]) -> bool:
    return all(map(has_finished, ids))


def wait_for_life(number: int, job_id: str, ledger: Ledger) -> int:
    """The process in which the job was started for that time."""
    wait_until(lambda: ledger.count("start").get(job_id) == number, 30, f"start {number} of {job_id}")
    return next(line.pid for line in reversed(ledger.lines()) if line.job_id == job_id)


def is_over(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("profile")
def test_a_job_that_ends_its_process_is_quarantined_and_the_others_run(
    nursery: Nursery, ledger: Ledger
) -> None:
    parent = nursery.start("worker", WORKER_PROCESSES="2")
    enqueue(new_job("leave", "leave"))
    others = enqueue_others()
    for life in (1, 2):
        pid = wait_for_life(life, "leave", ledger)
        wait_until(lambda pid=pid: is_over(pid), what="its death")
        lapse_locks_of(name_of(pid) or "")
        redis().rpush("clianta:doorbell", "1")
    wait_until(lambda: status_of("leave") == "failed" and have_finished(others))
    assert ledger.count("start")["leave"] == 2
    assert max(ledger.count("start")[job_id] for job_id in others) <= 3  # who ran beside it, ran again
    assert parent.code() is None
    assert_nothing_is_under_way()


@pytest.mark.usefixtures("profile")
def test_a_job_that_takes_all_memory_is_a_dead_letter_and_the_others_run(
    start_worker: StartWorker, ledger: Ledger
) -> None:
    worker = start_worker(FAULTS_MEMORY_MB="1000")
    enqueue(new_job("eat_memory", "eat"))
    others = enqueue_others()
    wait_until(ledger.lines, what="a first start")

    def all_have_ended() -> bool:
        nonlocal worker
        hasten_retries()
        if worker.code() is not None:  # it may not outlive that; what it had claimed comes back
            lapse_locks_of(name_of(worker.pid) or "")
            worker = start_worker(FAULTS_MEMORY_MB="1000")
        elif time.monotonic() - ledger.lines()[-1].at > QUIET:  # none is left to record that a job has failed
            lapse_locks_of(name_of(worker.pid) or "")
            redis().rpush("clianta:doorbell", "1")
        return status_of("eat") == "failed" and have_finished(others)

    wait_until(all_have_ended, timeout=40, what="the end of all jobs")
    assert ledger.count("start")["eat"] <= 4 + 2  # three retries, two deaths
    assert worker.code() is None
    assert_nothing_is_under_way()


@pytest.mark.parametrize(
    ("hang", "codes"),
    [("hold_the_interpreter", HUNG_COMPUTING), ("sleep_with_the_interpreter", HUNG_STILL)],
)
def test_a_job_that_hangs_the_interpreter_ends_two_processes_and_is_quarantined(
    hang: str, codes: tuple[int, ...], start_worker: StartWorker, ledger: Ledger
) -> None:
    enqueue(new_job(hang, "hang"))
    for life in (1, 2):
        worker = start_worker(STUCK_AFTER="1")
        assert wait_for_life(life, "hang", ledger) == worker.pid
        assert worker.ended() in codes
        assert f"in {hang}" in worker.log.read_text()
        lapse_locks_of(name_of(worker.pid) or "")
    others = enqueue_others()
    start_worker()
    wait_until(lambda: status_of("hang") == "failed" and have_finished(others))
    assert ledger.count("end") == dict.fromkeys([*others], 1) | {"hang": 0}
    assert_nothing_is_under_way()
