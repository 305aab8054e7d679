"""A worker's clock is set by an hour while its jobs run and wait; for the scheduler's see test_ticks.py."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from queues.enqueue import enqueue_in, enqueue_many
from tests.faults.clocks import AHEAD, BACK
from tests.faults.conftest import StartWorker, assert_nothing_is_under_way, new_job, status_of
from tests.faults.ledger import Ledger
from tests.waiting import wait_until

OWN_CLOCK = {"FAULTS_CLOCK_AHEAD": "0"}
JOBS = 60


@pytest.mark.parametrize("step", [AHEAD, BACK], ids=["an-hour-ahead", "an-hour-back"])
def test_a_worker_whose_clock_is_set_loses_repeats_and_delays_nothing(
    step: signal.Signals, start_worker: StartWorker, ledger: Ledger
) -> None:
    steady, stepping = start_worker(), start_worker(**OWN_CLOCK)
    ids = [f"work-{n}" for n in range(JOBS)]
    enqueue_many([new_job("work", job_id, seconds=0.05) for job_id in ids])
    wait_until(lambda: ledger.pids() == {steady.pid, stepping.pid})
    stepping.send(step)
    enqueue_in(new_job("work", "delayed"), timedelta(seconds=1))
    enqueue_many([new_job("stumble", f"stumble-{n}") for n in range(12)])  # each worker fails some
    every = [*ids, "delayed", *(f"stumble-{n}" for n in range(12))]
    wait_until(lambda: all(status_of(job_id) == "finished" for job_id in every), timeout=15)
    assert set(ledger.count("end").values()) == {1}
    assert ledger.repeated_without_cause(set()) == []
    assert [steady.code(), stepping.code()] == [None, None]
    assert_nothing_is_under_way()
