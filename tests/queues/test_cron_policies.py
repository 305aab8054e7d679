"""Ticks that are late, missed, overlapping or paused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from queues.connection import redis
from queues.cron_entry import Missed, Overlap
from tests.queues.cron_memory import NOON, Memory, entry, finish_all, queued, scheduler

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.mark.parametrize(("policy", "runs"), [(Missed.ONCE, 1), (Missed.SKIP, 0)])
def test_a_thousand_missed_ticks_are_never_a_burst(policy: Missed, runs: int) -> None:
    store = Memory(entry(missed=policy))
    cron = scheduler(store)
    cron.wake(NOON)
    back = NOON + 1_000 * 5 * MINUTE + 2 * MINUTE
    assert cron.wake(back) == back + 3 * MINUTE
    cron.wake(back)
    assert len(queued()) == len(store.run) == runs
    assert len(store.missed()) == 1_000 - runs


@pytest.mark.parametrize("policy", Missed)
def test_of_missed_ticks_the_latest_is_run_when_it_is_within_its_grace(policy: Missed) -> None:
    store = Memory(entry(missed=policy))
    cron = scheduler(store)
    cron.wake(NOON)
    cron.wake(NOON + timedelta(minutes=20, seconds=59))
    assert queued() == ["mail-20260601T1220"]
    assert store.missed() == ["12:05", "12:10", "12:15"]


def test_a_tick_beyond_its_grace_is_run_once_late_or_skipped_as_its_policy_says() -> None:
    store = Memory(
        entry("once", "0 9 * * *"),
        entry("skip", "0 9 * * *", missed=Missed.SKIP),
        entry("patient", "0 9 * * *", missed=Missed.SKIP, grace=timedelta(hours=2)),
    )
    cron = scheduler(store)
    cron.wake(NOON)
    cron.wake(NOON + timedelta(hours=22))
    assert sorted(queued()) == ["once-20260602T0900", "patient-20260602T0900"]
    assert [p.reason for p in store.plans if p.missed] == ["no scheduler for 60 min"]


@pytest.mark.parametrize("state", ["queued", "started", "scheduled", "deferred"])
def test_a_tick_is_skipped_while_the_former_run_is_not_over(state: str) -> None:
    store = Memory(entry())
    cron = scheduler(store)
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    redis().hset("rq:job:mail-20260601T1205", "status", state)
    cron.wake(NOON + 10 * MINUTE)
    cron.wake(NOON + 15 * MINUTE)
    assert queued() == ["mail-20260601T1205"]
    assert [p.skipped for p in store.plans[1:]] == [
        "the former run is not over: mail-20260601T1205"
    ] * 2  # each tick is on record
    finish_all()
    cron.wake(NOON + 20 * MINUTE)
    assert queued() == ["mail-20260601T1220"]


@pytest.mark.parametrize("state", ["finished", "failed", "stopped", "canceled", None])
def test_a_former_run_that_is_over_or_lost_stands_in_no_ticks_way(state: str | None) -> None:
    cron = scheduler(Memory(entry()))
    cron.wake(NOON)
    cron.wake(NOON + 5 * MINUTE)
    if state:
        redis().hset("rq:job:mail-20260601T1205", "status", state)
    else:
        redis().delete("rq:job:mail-20260601T1205")
    cron.wake(NOON + 10 * MINUTE)
    assert queued()[1:] == ["mail-20260601T1210"]


def test_overlap_queue_enqueues_every_tick() -> None:
    cron = scheduler(Memory(entry(overlap=Overlap.QUEUE)))
    for minute in (0, 5, 10):
        cron.wake(NOON + minute * MINUTE)
    assert queued() == ["mail-20260601T1205", "mail-20260601T1210"]


def test_a_paused_entry_s_ticks_are_skipped_on_record_and_it_goes_on_when_resumed() -> None:
    line = entry()
    store = Memory(replace(line, paused="server is being moved"))
    cron = scheduler(store)
    for minute in (0, 5, 10):
        cron.wake(NOON + minute * MINUTE)
    assert queued() == []
    assert [p.skipped for p in store.plans] == ["paused: server is being moved"] * 2
    store.entries = [line]
    cron.wake(NOON + 15 * MINUTE)
    assert queued() == ["mail-20260601T1215"]
