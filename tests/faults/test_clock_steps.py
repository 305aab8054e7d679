"""A worker's clock is set by an hour while its jobs run and wait; for the scheduler's see test_ticks.py."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from queues.enqueue import enqueue_in, enqueue_many
from tests.faults.clocks import AHEAD, BACK
from tests.faults.conftest import (
    StartWorker,
    assert_nothing_is_under_way,
    has_finished,
    hasten_retries,
    new_job,
)
from tests.faults.ledger import Ledger
from tests.faults.processes import Process
from tests.waiting import wait_until

OWN_CLOCK = {"FAULTS_CLOCK_AHEAD": "0"}
JOBS, STUMBLING = 60, 12  # each of two workers fails some

steps = pytest.mark.parametrize("step", [AHEAD, BACK], ids=["an-hour-ahead", "an-hour-back"])


@pytest.fixture
def workers(start_worker: StartWorker) -> list[Process]:
    """The second one's clock can be set."""
    return [start_worker(), start_worker(**OWN_CLOCK)]


def set_clock_amid_work(workers: list[Process], ledger: Ledger, step: signal.Signals) -> list[str]:
    """The ids of all jobs, which run before, while and after the second worker's clock is set."""
    ids, stumbling = [f"work-{n}" for n in range(JOBS)], [f"stumble-{n}" for n in range(STUMBLING)]
    enqueue_many([new_job("work", job_id, seconds=0.05) for job_id in ids])
    wait_until(lambda: ledger.pids() == {worker.pid for worker in workers})
    workers[1].send(step)
    enqueue_in(new_job("work", "delayed"), timedelta(seconds=1))
    enqueue_many([new_job("stumble", job_id) for job_id in stumbling])
    return [*ids, "delayed", *stumbling]


def assert_all_ran_once(workers: list[Process], ledger: Ledger) -> None:
    assert set(ledger.count("end").values()) == {1}
    assert ledger.repeated_without_cause(set()) == []
    assert [worker.code() for worker in workers] == [None, None]
    assert_nothing_is_under_way()


@steps
def test_a_worker_whose_clock_is_set_loses_repeats_and_delays_nothing(
    step: signal.Signals, workers: list[Process], ledger: Ledger
) -> None:
    ids = set_clock_amid_work(workers, ledger, step)
    wait_until(lambda: all(map(has_finished, ids)), timeout=15)
    assert_all_ran_once(workers, ledger)


@steps
@pytest.mark.usefixtures("frugal")
def test_a_frugal_worker_whose_clock_is_set_loses_and_repeats_nothing(
    step: signal.Signals, workers: list[Process], ledger: Ledger
) -> None:
    """Its retries are due by its own clock, and may wait an hour too long: see docs/frugal.md."""
    ids = set_clock_amid_work(workers, ledger, step)

    def have_all_finished() -> bool:
        hasten_retries()
        return all(map(has_finished, ids))

    wait_until(have_all_finished, timeout=15)
    assert_all_ran_once(workers, ledger)
