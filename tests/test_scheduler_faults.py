"""Schedulers that are killed, stopped and cut off around their ticks; the ledger is compared afterwards.

Real processes whose minutes last a fifth of a second (tests/fast_scheduler.py).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis, RedisError
from rq.utils import as_text

from jobs.watchdog import SETTLE, Watchdog
from models.tick import Tick
from queues import cron_control
from queues.connection import redis
from sandbox import redis_server
from sandbox.process import Server
from tests import fast_scheduler
from tests.fast_scheduler import ENTRY, NOON
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
MINUTE = timedelta(minutes=1)
ROUNDS = 12  # kills per test

Process = subprocess.Popen[bytes]


class Fleet:
    """Schedulers in one fast world, and what they did there."""

    def __init__(self, client: Redis, log: Path, environment: dict[str, str]):
        self.client, self._log, self._environment = client, log, environment
        self._epoch = time.time()
        self.processes: list[Process] = []

    def start(self) -> Process:
        command = [sys.executable, "-m", "tests.fast_scheduler", str(self._epoch)]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **self._environment}, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def now(self) -> datetime:
        return fast_scheduler.now(self._epoch)

    def ticks(self) -> list[str]:
        """Ids of the jobs that were enqueued, in order."""
        with suppress(RedisError):
            return [as_text(job) for job in self.client.lrange("rq:queue:analytics", 0, -1)]
        return []

    def born(self) -> int:
        """How many schedulers have shown that they live; the keys of killed ones outlast the test."""
        return len(list(self.client.scan_iter("rq:scheduler_instance:*", count=1_000)))

    def wait_for_ticks(self, more: int) -> None:
        wanted = len(self.ticks()) + more
        wait_until(lambda: len(self.ticks()) >= wanted, timeout=30, what=f"{wanted} ticks")

    def rows(self) -> dict[str, str]:
        """No worker runs here: what was enqueued is told by that, whatever became of it."""
        return {row.id: "queued" if row.enqueued_at else row.status for row in Tick.objects.order_by("due")}

    def check_ledger(self) -> Counter[str]:
        """Each minute is on record, once: as a run whose job there is, or as missed; returns how many are."""
        self.stop()
        dog = Watchdog(lambda: [ENTRY], NOON)
        end = datetime.strptime(self.ticks()[-1] + "+0000", "fast-%Y%m%dT%H%M%z")
        for _ in range(2):
            dog.check(end + SETTLE)
        ticks, rows = self.ticks(), self.rows()
        first = datetime.strptime(ticks[0] + "+0000", "fast-%Y%m%dT%H%M%z")
        expected = [ENTRY.id_of(first + n * MINUTE) for n in range((end - first) // MINUTE + 1)]
        assert len(ticks) == len(set(ticks)), Counter(ticks).most_common(3)
        assert {job_id for job_id, status in rows.items() if status == "queued"} == set(ticks)
        assert [job_id for job_id in rows if job_id >= expected[0]] == expected
        assert set(rows.values()) <= {"queued", "missed"}
        return Counter(rows[job_id] for job_id in expected)


@pytest.fixture
def fleet(stores: None, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis(), tmp_path / "log", {})
    yield fleet
    fleet.stop()


def test_three_schedulers_killed_again_and_again_lose_and_double_no_tick(fleet: Fleet) -> None:
    chance = random.Random(3)
    for _ in range(3):
        fleet.start()
    for _ in range(ROUNDS):
        wait_until(lambda: fleet.born() == len(fleet.processes), timeout=30)
        victim = chance.choice([process for process in fleet.processes if process.poll() is None])
        fleet.wait_for_ticks(1)
        time.sleep(chance.uniform(0, 0.2))  # somewhere in a minute of that world
        victim.kill()
        fleet.start()
    fleet.wait_for_ticks(3)
    counts = fleet.check_ledger()
    assert counts["queued"] > ROUNDS
    assert counts["missed"] <= counts["queued"] / 10  # two were alive all the time


def test_the_only_scheduler_killed_again_and_again_makes_up_for_what_it_missed(fleet: Fleet) -> None:
    chance = random.Random(4)
    for _ in range(5):
        process = fleet.start()
        fleet.wait_for_ticks(2)
        time.sleep(chance.uniform(0, 0.2))  # somewhere in a minute of that world
        process.kill()
    fleet.start()
    fleet.wait_for_ticks(2)
    counts = fleet.check_ledger()
    assert counts["missed"] > 0  # a start takes longer than a minute of that world


def test_a_scheduler_stopped_across_ticks_does_none_of_them_again(fleet: Fleet) -> None:
    stopped, _ = fleet.start(), fleet.start()
    fleet.wait_for_ticks(3)
    stopped.send_signal(signal.SIGSTOP)
    fleet.wait_for_ticks(10)
    stopped.send_signal(signal.SIGCONT)
    fleet.wait_for_ticks(5)
    assert fleet.check_ledger()["queued"] >= 18


def test_all_schedulers_stopped_across_ticks_make_no_burst(fleet: Fleet) -> None:
    for _ in range(2):
        fleet.start()
    fleet.wait_for_ticks(3)
    for process in fleet.processes:
        process.send_signal(signal.SIGSTOP)
    before, since = len(fleet.ticks()), fleet.now()
    wait_until(lambda: fleet.now() - since > 20 * MINUTE)
    for process in fleet.processes:
        process.send_signal(signal.SIGCONT)
    fleet.wait_for_ticks(3)
    minutes = (fleet.now() - since) // MINUTE
    after = len(fleet.ticks())
    assert after - before <= minutes - 20 + 2
    assert fleet.check_ledger()["missed"] >= 18


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Server]:
    server = redis_server.embedded(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def test_a_redis_that_is_away_costs_ticks_and_doubles_none(
    own_redis: Server, clean_store: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Redis(port=own_redis.port, protocol=2) as client:
        monkeypatch.setattr(cron_control, "redis", lambda: client)
        fleet = Fleet(client, tmp_path / "log", {"REDIS_URL": redis_server.url(own_redis)})
        try:
            for _ in range(2):
                fleet.start()
            fleet.wait_for_ticks(3)
            own_redis.stop()
            since = fleet.now()
            wait_until(lambda: fleet.now() - since > 10 * MINUTE)
            own_redis.start()
            fleet.wait_for_ticks(3)
            counts = fleet.check_ledger()
        finally:
            fleet.stop()
    assert counts["missed"] >= 5
    assert counts["queued"] >= 6
