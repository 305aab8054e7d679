"""The cron table in Redis."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

import config
from queues import cron_control
from queues.connection import redis
from queues.cron_entry import CronEntry, Overlap
from queues.job import Job
from tests.queues.cron_memory import NOON, Memory, entry, queued, scheduler
from tests.waiting import wait_until

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["standard", "frugal"])
def table(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, clean_redis: None
) -> Iterator[tuple[CronEntry, ...]]:
    """For a scheduler of either profile."""
    monkeypatch.setenv("QUEUE_PROFILE", request.param)
    config.settings.cache_clear()
    yield (entry(overlap=Overlap.QUEUE), entry("nightly", "0 2 * * *"))
    config.settings.cache_clear()


def test_registering_twice_leaves_one_entry_each(table: tuple[CronEntry, ...]) -> None:
    for _ in range(2):
        scheduler(Memory(*table)).wake(NOON)
    assert scheduler(Memory()).names() == {"mail", "nightly"}


def test_an_entry_removed_from_code_disappears(table: tuple[CronEntry, ...]) -> None:
    scheduler(Memory(*table)).wake(NOON)
    scheduler(Memory(table[0])).wake(NOON)
    assert scheduler(Memory()).names() == {"mail"}
    assert not redis().exists("rq:job:nightly")


def test_a_tick_enqueues_a_fresh_job_named_after_its_time(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(Memory(*table))
    assert cron.wake(NOON) == NOON + 5 * MINUTE
    cron.wake(NOON + timedelta(minutes=4, seconds=59))
    assert queued() == []
    for _ in range(2):
        assert cron.wake(NOON + 5 * MINUTE) == NOON + 10 * MINUTE
    cron.wake(NOON + 10 * MINUTE)
    assert queued() == ["mail-20260601T1205", "mail-20260601T1210"]
    assert Job.fetch("mail-20260601T1205", connection=redis()).kwargs == {"tick": "2026-06-01T12:05:00+00:00"}


def test_registering_again_keeps_an_overdue_tick(table: tuple[CronEntry, ...]) -> None:
    scheduler(Memory(*table)).wake(NOON)
    scheduler(Memory(*table)).wake(NOON + 7 * MINUTE)
    assert queued() == ["mail-20260601T1205"]


def test_a_changed_cron_line_starts_anew(clean_redis: None) -> None:
    scheduler(Memory(entry(cron="0 2 * * *"))).wake(NOON)
    assert scheduler(Memory(entry(cron="* * * * *"))).wake(NOON) == NOON + MINUTE


def test_a_line_changed_at_run_time_holds_from_the_next_wake_up_on(clean_redis: None) -> None:
    store = Memory(entry())
    cron, other = scheduler(store), scheduler(store)
    cron.wake(NOON)
    other.wake(NOON)
    store.entries = [replace(store.entries[0], cron="3 * * * *")]
    assert cron.wake(NOON + MINUTE) == NOON + 3 * MINUTE
    assert other.wake(NOON + 3 * MINUTE) == NOON + 63 * MINUTE
    assert queued() == ["mail-20260601T1203"]


def test_a_disabled_entry_is_not_scheduled(clean_redis: None) -> None:
    store = Memory(entry())
    cron = scheduler(store)
    cron.wake(NOON)
    store.entries = [replace(store.entries[0], enabled=False)]
    assert cron.wake(NOON + 6 * MINUTE) is None
    assert cron.names() == set()
    assert queued() == []


def test_each_tick_happens_once_however_many_schedulers_run(table: tuple[CronEntry, ...]) -> None:
    store = Memory(*table)
    schedulers = [scheduler(store) for _ in range(4)]
    schedulers[0].wake(NOON)
    barrier = threading.Barrier(len(schedulers))

    def run(index: int) -> None:
        for minute in range(5, 500, 5):
            barrier.wait(10)
            schedulers[index].wake(NOON + minute * MINUTE)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(queued()) == len(set(queued())) == 99
    assert sorted(plan.entry.id_of(plan.due) for plan in store.plans) == sorted(queued())


def test_no_pickle_is_written_by_the_scheduler(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(Memory(*table))
    cron.wake(NOON)
    cron.wake(NOON + timedelta(days=1))
    job_keys = list(redis().scan_iter("rq:job:*"))
    assert len(job_keys) == 4
    for key in job_keys:
        fields: dict[bytes, Any] = redis().hgetall(key)  # type: ignore[assignment]
        assert zlib.decompress(fields[b"data"]).startswith(b"[")
        assert fields[b"meta"].startswith(b"{")


def test_sentry_does_not_take_a_tick_s_id_for_a_monitor(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(Memory(*table))
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    assert Job.fetch(queued()[0], connection=redis()).meta.keys() == {"tick"}


def test_the_loop_shows_that_it_lives_wakes_on_the_bell_and_ends_on_stop(clean_redis: None) -> None:
    store, stop = Memory(), threading.Event()
    cron = scheduler(store)
    thread = threading.Thread(target=cron.run, args=(stop,))
    thread.start()
    wait_until(lambda: redis().ttl(cron.key) > 120)
    store.entries = [entry(cron="0 0 29 2 *")]
    cron_control.ring()
    wait_until(lambda: cron.names() == {"mail"}, timeout=2)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert not redis().exists(cron.key)


def test_a_scheduler_that_slept_while_another_took_a_change_over_knows_it_too(clean_redis: None) -> None:
    store, stop = Memory(), threading.Event()
    cron, other = scheduler(store, heartbeat=1), scheduler(store)
    thread = threading.Thread(target=cron.run, args=(stop,))
    thread.start()
    wait_until(lambda: redis().exists(cron.key))
    store.entries = [entry(cron="0 0 29 2 *")]
    other.wake(NOON)
    wait_until(lambda: cron.table.keys() == {"mail"}, timeout=3)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_the_schedule_is_rebuilt_when_redis_comes_back_empty(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(Memory(*table))
    cron.wake(NOON)
    redis().flushall()
    assert cron.wake(NOON + 5 * MINUTE) == NOON + 10 * MINUTE
    assert cron.names() == {"mail", "nightly"}
    assert redis().exists(cron.key)


def test_an_entry_that_another_version_takes_out_is_soon_put_back(
    table: tuple[CronEntry, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    cron = scheduler(Memory(*table))
    register = cron.register

    def register_at_the_same_time(moment: datetime) -> None:
        register(moment)
        scheduler(Memory(table[1])).wake(moment)  # it does not know the first one

    monkeypatch.setattr(cron, "register", register_at_the_same_time)
    assert cron.wake(NOON) == NOON + timedelta(seconds=2)
    monkeypatch.setattr(cron, "register", register)
    assert cron.wake(NOON + MINUTE) == NOON + 5 * MINUTE


def test_a_redis_that_was_lost_around_a_tick_loses_no_tick(table: tuple[CronEntry, ...]) -> None:
    store = Memory(*table)
    cron = scheduler(store)
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    redis().flushall()
    store.last = {"mail": NOON + 5 * MINUTE}
    cron.wake(NOON + 12 * MINUTE)
    assert queued() == ["mail-20260601T1210"]
