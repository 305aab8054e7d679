"""No network for a while, for two workers and the scheduler; a third worker goes on all the time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import config
from queues.connection import redis
from queues.enqueue import enqueue_many
from tests.faults.conftest import StartWorker, assert_nothing_is_under_way, has_finished, new_job
from tests.faults.ledger import Ledger
from tests.faults.processes import Nursery, Process
from tests.faults.proxy import Proxy
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("profile")

CUTS = (6.5, pytest.param(30.0, marks=pytest.mark.soak))  # seconds: longer than any command may take
JOBS, SECONDS = 400, 0.05  # enough to be under way when the networks end


def ids_of(first: int, count: int) -> list[str]:
    return [f"work-{n}" for n in range(first, first + count)]


def enqueue_work(ids: list[str]) -> None:
    enqueue_many([new_job("work", job_id, seconds=SECONDS) for job_id in ids])


def wait_for_ends(ids: list[str], timeout: float) -> None:
    wait_until(lambda: all(map(has_finished, ids)), timeout, "the end of all jobs")


@pytest.mark.parametrize("seconds", CUTS)
def test_a_time_without_network_loses_no_job_and_repeats_none(
    seconds: float, start_worker: StartWorker, nursery: Nursery, proxies: Callable[[], Proxy], ledger: Ledger
) -> None:
    cut, stalled, of_scheduler = proxies(), proxies(), proxies()
    behind_cut = start_worker(REDIS_URL=cut.url)
    behind_stall = start_worker(REDIS_URL=stalled.url)
    direct = start_worker()
    scheduler = nursery.start("scheduler", REDIS_URL=of_scheduler.url)
    wait_until(lambda: redis().exists("rq:scheduler:scheduled_jobs"), what="the cron table")

    first = ids_of(0, JOBS)
    enqueue_work(first)
    wait_until(lambda: {behind_cut.pid, behind_stall.pid} <= ledger.pids(), what="both at work")
    cut.cut()
    stalled.stall()
    of_scheduler.stall()
    since = time.monotonic()
    wait_for_ends_of_others(first, direct, ledger)
    wait_until(lambda: time.monotonic() - since > seconds, timeout=seconds + 5, what="the end of the cut")
    for proxy in (cut, stalled, of_scheduler):
        proxy.mend()
    wait_for_ends(first, timeout=70)  # a claim that arrived late is seen when its lock lapses

    second = ids_of(JOBS, JOBS)
    enqueue_work(second)
    wait_for_ends(second, timeout=30)
    ends = [line for line in ledger.lines() if line.job_id in second]
    assert {line.pid for line in ends} == {behind_cut.pid, behind_stall.pid, direct.pid}
    assert ledger.count("start") == ledger.count("end") == dict.fromkeys(first + second, 1)
    assert [process.code() for process in (behind_cut, behind_stall, direct, scheduler)] == [None] * 4
    assert_nothing_is_under_way()


def wait_for_ends_of_others(ids: list[str], worker: Process, ledger: Ledger) -> None:
    """The worker whose network is whole does all that the others had not taken, or heard a bell for."""
    heard = 2 if config.settings().is_frugal else 0  # such a job waits until its bell counts as lost
    wait_until(lambda: redis().llen("rq:queue:analytics") <= heard, timeout=40, what="an empty queue")
    assert worker.pid in ledger.pids()
    assert sum(map(has_finished, ids)) >= JOBS - 6 - 3 - heard
