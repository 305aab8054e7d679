"""What the frugal scheduler costs, and when it reads its table anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

import config
from queues.connection import redis
from queues.cron_entry import Overlap
from tests.queues.cron_memory import NOON, Memory, entry, finish_all, queued, scheduler
from tests.queues.test_cron_cost import commands

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _frugal(monkeypatch: pytest.MonkeyPatch, clean_redis: None) -> Iterator[None]:
    monkeypatch.setenv("QUEUE_PROFILE", "frugal")
    config.settings.cache_clear()
    yield
    config.settings.cache_clear()


def test_a_wake_up_costs_one_script_and_no_read() -> None:
    store = Memory(entry("a"), entry("b"), entry("c"))
    cron = scheduler(store)
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    finish_all()
    store.plans.clear()  # the ledger knows that they are over
    woken = commands(lambda: cron.wake(NOON + 10 * MINUTE))
    assert woken == {"evalsha": 1, "zmscore": 1, "zadd": 1, "hset": 3, "rpush": 2}
    assert len(queued()) == 3


def test_a_wake_up_for_a_single_tick_costs_five_commands() -> None:
    cron = scheduler(Memory(entry(overlap=Overlap.QUEUE)))
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    assert commands(lambda: cron.wake(NOON + 10 * MINUTE)) == {"evalsha": 1, "zadd": 1, "hset": 1, "rpush": 2}


def test_a_scheduler_whose_ticks_another_has_taken_knows_where_they_stand_now() -> None:
    store = Memory(entry())
    mine, other = scheduler(store), scheduler(store)
    mine.wake(NOON)
    other.wake(NOON)
    other.wake(NOON + 5 * MINUTE)
    finish_all()
    assert mine.wake(NOON + 5 * MINUTE) == NOON + 10 * MINUTE
    assert mine.wake(NOON + 10 * MINUTE) == NOON + 15 * MINUTE
    assert store.ran() == ["12:05", "12:10"]


def test_a_tick_whose_job_exists_is_not_put_on_the_queue_again() -> None:
    cron = scheduler(Memory(entry()))
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    redis().zadd("rq:scheduler:scheduled_jobs", {"mail": (NOON + 5 * MINUTE).timestamp()})
    cron.forget()
    cron.wake(NOON + 5 * MINUTE)
    assert queued() == ["mail-20260601T1205"]
