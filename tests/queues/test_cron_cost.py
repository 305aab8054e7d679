"""What the scheduler costs on a Redis that bills each command, and how exact it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from queues import keys
from queues.connection import redis
from queues.cron import Scheduler
from queues.cron_entry import CronEntry, Overlap
from queues.enqueue import enqueue_many
from queues.job import Job
from tests.queues.cron_memory import NOON, Memory, entry, finish_all, queued, scheduler
from tests.waiting import wait_until

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("clean_redis")


def stats() -> dict[str, int]:
    found: dict[str, dict[str, Any]] = redis().info("commandstats")
    return {name.removeprefix("cmdstat_"): values["calls"] for name, values in found.items()}


def commands(action: Callable[[], object]) -> dict[str, int]:
    """What Redis ran for an action, commands inside of scripts included."""
    before = stats()
    action()
    after = {name: calls - before.get(name, 0) for name, calls in stats().items()}
    return {name: calls for name, calls in after.items() if calls and name != "info"}


@contextmanager
def running(cron: Scheduler) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=cron.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("overlap", Overlap)
@pytest.mark.parametrize("due", [1, 3, 11])
def test_a_wake_up_costs_a_read_and_one_command_per_due_entry_beyond_the_enqueue(
    overlap: Overlap, due: int
) -> None:
    store = Memory(*(entry(f"mail-{n}", overlap=overlap) for n in range(due)))
    cron = scheduler(store)
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    finish_all()
    store.plans.clear()  # the ledger knows that they are over
    woken = commands(lambda: cron.wake(NOON + 10 * MINUTE))
    enqueued = commands(lambda: enqueue_many([entry(f"x{n}").job(NOON) for n in range(due)]))
    assert len(queued()) == 2 * due
    assert sum(woken.values()) - sum(enqueued.values()) == 1 + due  # the wait is the second command


def test_a_tick_that_is_skipped_costs_one_command() -> None:
    cron = scheduler(Memory(entry(paused="moving")))
    cron.wake(NOON)
    assert commands(lambda: cron.wake(NOON + 5 * MINUTE)) == {"zrange": 1, "zadd": 1}


def is_waiting() -> bool:
    return bool(redis().info("clients")["blocked_clients"] == 1)


def test_an_idle_scheduler_sends_its_wait_and_a_heartbeat() -> None:
    cron = scheduler(Memory(entry(cron="0 0 29 2 *")), heartbeat=1)
    with running(cron):
        wait_until(is_waiting)
        waits = stats().get("blpop", 0)
        sent = commands(lambda: wait_until(lambda: stats().get("blpop", 0) == waits + 3))
    assert sent["blpop"] == 3
    assert sent.keys() <= {"blpop", "expire"}
    assert sent.get("expire", 0) <= 3


def test_the_bell_costs_a_read_however_often_it_rang() -> None:
    cron = scheduler(Memory(entry(cron="0 0 29 2 *")))
    with running(cron):
        wait_until(is_waiting)
        cleared = stats().get("del", 0)

        def ring() -> None:
            redis().rpush(keys.CRON_BELL, *"12345")
            wait_until(lambda: stats().get("del", 0) == cleared + 1)
            wait_until(is_waiting)

        assert commands(ring) == {"rpush": 1, "blpop": 1, "del": 1, "zrange": 1}


def test_a_tick_is_exact_to_a_tenth_of_a_second() -> None:
    line = CronEntry("exact", "* * * * *", "tests.queues.sample_jobs.note", "email-sync", "")
    due = NOON + MINUTE
    with time_machine.travel(due - timedelta(seconds=1.2)), running(scheduler(Memory(line))):
        wait_until(queued, timeout=5)
        enqueued_at = Job.fetch(queued()[0], connection=redis()).enqueued_at
        assert datetime.now(UTC) < due + timedelta(seconds=30)  # the clock is the test's
    assert enqueued_at is not None
    assert timedelta() <= enqueued_at - due < timedelta(seconds=0.1)
