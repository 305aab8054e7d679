"""scheduler.py itself, killed around its ticks, away for a thousand of them, and with a clock that is set."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from rq.utils import as_text

from models.tick import LATE, MISSED, RAN, Tick
from queues import cron_control
from queues.connection import redis
from tests.faults.clocks import AHEAD, BACK
from tests.faults.conftest import StartWorker
from tests.faults.processes import Nursery, Process
from tests.waiting import wait_until

ENTRY, INTERVAL = "email-sync", timedelta(minutes=5)  # jobs/schedule.py
TABLE = "rq:scheduler:scheduled_jobs"
START = 2.0  # seconds from the start of schedulers to the tick: enough for them to be ready


def next_tick(moment: datetime) -> datetime:
    since = (moment - datetime.min.replace(tzinfo=UTC)) % INTERVAL
    return moment - since + INTERVAL


def due() -> datetime | None:
    """When the entry is due next, to the minute, as Redis knows it."""
    score = redis().zscore(TABLE, ENTRY)
    return datetime.fromtimestamp(int(score), UTC) if score else None


def jobs() -> list[str]:
    """Ids of all ticks' jobs that there ever were."""
    keys = redis().scan_iter(f"rq:job:{ENTRY}-*", count=1_000)
    return sorted(as_text(key).removeprefix("rq:job:") for key in keys)


def rows() -> Counter[str]:
    return Counter(row.status for row in Tick.objects(entry=ENTRY))


def start_before(nursery: Nursery, tick: datetime, seconds: float = START) -> Process:
    """A scheduler whose clock says that the tick is that near."""
    ahead = tick - timedelta(seconds=seconds) - datetime.now(UTC)
    return nursery.start("scheduler", FAULTS_CLOCK_AHEAD=str(ahead.total_seconds()))


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_three_schedulers_killed_around_ticks_enqueue_each_of_them_once(
    rounds: int, nursery: Nursery, start_worker: StartWorker
) -> None:
    chance = random.Random(7)
    start_worker()
    first = next_tick(datetime.now(UTC))
    for number in range(rounds):
        three = [start_before(nursery, first + number * INTERVAL) for _ in range(3)]
        at = time.monotonic() + START
        wait_until(lambda: redis().exists(TABLE), what="the cron table")
        for process in three:
            time.sleep(max(0.0, at - time.monotonic() + chance.uniform(-0.1, 0.2)))
            process.kill()
    start_before(nursery, first + rounds * INTERVAL)
    expected = [f"{ENTRY}-{first + number * INTERVAL:%Y%m%dT%H%M}" for number in range(rounds + 1)]
    wait_until(lambda: expected[-1] in jobs(), what="the last tick")
    assert jobs() == expected
    wait_until(lambda: rows()[RAN] + rows()[LATE] == len(expected), what="the runs")
    assert {row.tries for row in Tick.objects(entry=ENTRY)} == {1}


def test_of_a_thousand_ticks_missed_one_is_run_and_each_is_on_record(
    nursery: Nursery, start_worker: StartWorker
) -> None:
    start_worker()
    nursery.start("scheduler")
    first = wait_until(due, what="the cron table")
    nursery.born[-1].kill()
    assert jobs() == []

    last = first + 999 * INTERVAL
    start_before(nursery, last, seconds=-100)  # beyond its grace
    wait_until(lambda: rows().total() == 1_000, timeout=40, what="a row per tick")
    wait_until(lambda: rows()[MISSED] == 999, what="the run")
    assert jobs() == [f"{ENTRY}-{last:%Y%m%dT%H%M}"]
    assert due() == last + INTERVAL


def test_a_scheduler_whose_clock_is_set_makes_no_burst_and_does_not_stand_still(
    nursery: Nursery, start_worker: StartWorker
) -> None:
    start_worker()
    tick = next_tick(datetime.now(UTC))
    scheduler = start_before(nursery, tick)
    wait_until(lambda: rows()[RAN] + rows()[LATE] == 1, what="the first run")

    scheduler.send(AHEAD)
    cron_control.ring()
    wait_until(lambda: due() == tick + 13 * INTERVAL, what="an hour's ticks")
    wait_until(lambda: rows()[RAN] + rows()[LATE] == 2, what="the one run of the hour")
    wait_until(lambda: rows()[MISSED] == 11, what="a row per missed tick")

    scheduler.send(BACK)
    cron_control.ring()
    wait_until(lambda: due() == tick + INTERVAL + timedelta(seconds=1), what="the second time's next tick")
    assert len(jobs()) == 2
    assert scheduler.code() is None
