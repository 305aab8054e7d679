"""Time zones, summer time, and clocks that are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queues.connection import redis
from queues.cron_entry import CronEntry, Missed, Overlap
from queues.cron_mark import Mark
from tests.queues.cron_memory import NOON, Memory, entry, queued, scheduler

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
YEAR = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
# North and south, half an hour of summer time, midnights that do not exist, a changed date line, none at all.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "Pacific/Chatham",
    "Asia/Kolkata",
)


def year_of(line: CronEntry) -> list[datetime]:
    return list(takewhile(lambda due: due < YEAR[1], line.times_after(YEAR[0])))


@pytest.mark.parametrize(
    ("zone", "after", "due"),
    [
        ("Europe/Berlin", datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 1, 11, 8, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 7, 10, 12, tzinfo=UTC), datetime(2026, 7, 11, 7, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 7, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 2, tzinfo=UTC), datetime(2026, 11, 1, 14, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 2, 3, 30, tzinfo=UTC)),
        (None, datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 2, 9, tzinfo=UTC)),
    ],
)
def test_nine_o_clock_is_nine_in_the_entry_s_zone(zone: str | None, after: datetime, due: datetime) -> None:
    assert entry(cron="0 9 * * *", zone=zone).next_after(after) == due


@settings(max_examples=40, deadline=None)
@given(zone=st.sampled_from(ZONES), hour=st.integers(0, 22), minute=st.sampled_from((0, 1, 15, 30, 45, 59)))
def test_a_daily_entry_is_due_once_on_each_day_of_the_year(zone: str, hour: int, minute: int) -> None:
    times = [
        due.astimezone(ZoneInfo(zone)) for due in year_of(entry(cron=f"{minute} {hour} * * *", zone=zone))
    ]
    days = [due.date() for due in times]
    assert all(later - day == timedelta(days=1) for day, later in pairwise(days))
    exact = [due for due in times if (due.hour, due.minute) == (hour, minute)]
    assert len(exact) >= len(times) - 1  # but for the day on which clocks go forward over it


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES), at=st.datetimes(YEAR[0].replace(tzinfo=None), YEAR[1].replace(tzinfo=None))
)
def test_from_any_moment_on_the_same_ticks_are_due(zone: str, at: datetime) -> None:
    """Around a change of the clocks, too: a restart of the scheduler neither doubles nor loses a tick."""
    moment = at.replace(tzinfo=UTC)
    for line in (entry(cron="30 2 * * *", zone=zone), entry(cron="*/30 * * * *", zone=zone)):
        times = line.times_after(moment - timedelta(days=2))
        assert line.next_after(moment) == next(due for due in times if due > moment)


def test_half_past_two_when_clocks_change_in_berlin() -> None:
    line = entry(cron="30 2 * * *", zone="Europe/Berlin")
    assert line.next_after(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    autumn = line.next_after(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert autumn == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the first of two
    assert line.next_after(autumn) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_an_interval_goes_on_through_both_changes() -> None:
    times = year_of(entry(cron="*/30 * * * *", zone="Europe/Berlin"))
    assert {later - due for due, later in pairwise(times)} == {30 * MINUTE}


def walk(store: Memory, clock: list[datetime]) -> None:
    """One scheduler sees these moments."""
    cron = scheduler(store)
    for moment in clock:
        cron.wake(moment)


def minutes(start: datetime, count: int) -> list[datetime]:
    return [start + number * MINUTE for number in range(count)]


@pytest.mark.usefixtures("clean_redis")
class TestClockSetBack:
    def test_an_interval_neither_stands_still_nor_repeats_a_tick(self) -> None:
        store = Memory(entry(overlap=Overlap.QUEUE))
        walk(store, [*minutes(NOON, 62), *minutes(NOON + 2 * MINUTE, 70)])
        assert len(queued()) == len(set(queued())) == 12 + 14
        again = [plan.due for plan in store.run[12:]]
        assert again[:2] == [NOON + timedelta(minutes=5, seconds=1), NOON + timedelta(minutes=10, seconds=1)]
        assert again[-2:] == [NOON + 65 * MINUTE, NOON + 70 * MINUTE]  # as before
        assert store.missed() == []

    def test_it_may_happen_again_while_it_lasts(self) -> None:
        store = Memory(entry(overlap=Overlap.QUEUE))
        walk(store, [*minutes(NOON, 61), *minutes(NOON, 32), *minutes(NOON, 72)])
        assert len(queued()) == len(set(queued())) == 12 + 6 + 14

    def test_a_daily_run_is_not_repeated(self) -> None:
        store = Memory(entry(cron="30 12 * * *"))
        walk(store, [*minutes(NOON, 60), *minutes(NOON, 60)])
        assert store.ran() == ["12:30"]

    def test_another_scheduler_goes_on_where_the_first_was_killed(self) -> None:
        store = Memory(entry(overlap=Overlap.QUEUE))
        walk(store, minutes(NOON, 62))
        walk(store, minutes(NOON + 2 * MINUTE, 20))
        walk(store, minutes(NOON + 22 * MINUTE, 50))
        assert len(queued()) == len(set(queued())) == 12 + 14

    def test_a_clock_that_was_years_ahead_blocks_nothing(self) -> None:
        store = Memory(entry(overlap=Overlap.QUEUE), entry("daily", "30 12 * * *"))
        walk(store, [NOON + timedelta(days=1_500), *minutes(NOON, 32)])
        assert len([p for p in store.run if p.entry.name == "mail"]) == 6
        assert len([p for p in store.run if p.entry.name == "daily"]) == 1

    def test_a_fast_clock_beside_a_slow_one_is_no_reason(self) -> None:
        store = Memory(entry(overlap=Overlap.QUEUE))
        fast, slow = scheduler(store), scheduler(store)
        for moment in minutes(NOON, 30):
            fast.wake(moment + MINUTE)
            slow.wake(moment)
        assert len(queued()) == len(set(queued())) == 6
        assert all(plan.due.second == 0 for plan in store.run)


@pytest.mark.usefixtures("clean_redis")
@pytest.mark.parametrize(("policy", "runs"), [(Missed.ONCE, 1), (Missed.SKIP, 0)])
def test_a_clock_that_is_set_forward_makes_no_burst(policy: Missed, runs: int) -> None:
    store = Memory(entry(missed=policy))
    walk(store, [NOON, NOON + 62 * MINUTE, NOON + 63 * MINUTE])
    assert len(queued()) == runs
    assert len(store.missed()) == 12 - runs


@pytest.mark.usefixtures("clean_redis")
def test_a_clock_that_was_an_hour_ahead_for_a_while_blocks_and_repeats_nothing() -> None:
    store = Memory(entry(overlap=Overlap.QUEUE))
    walk(store, [NOON, *minutes(NOON + 61 * MINUTE, 10), *minutes(NOON + 11 * MINUTE, 70)])
    assert len(queued()) == len(set(queued()))
    times = [plan.due.replace(second=0) for plan in store.run[3:]]
    assert {later - due for due, later in pairwise(times)} == {5 * MINUTE}


@given(
    at=st.integers(0, 40_000_000).map(lambda minute: YEAR[0] + minute * MINUTE),  # 76 years
    passes=st.integers(1, 59),
    again=st.integers(1, 500_000),
)
def test_a_mark_survives_redis(at: datetime, passes: int, again: int) -> None:
    mark = Mark(at + timedelta(seconds=passes), at + again * MINUTE)
    assert Mark.of(float(repr(mark.score))) == mark
    assert Mark.of(Mark(at).score) == Mark(at)


@pytest.mark.usefixtures("clean_redis")
def test_redis_keeps_a_mark_exactly() -> None:
    mark = Mark(NOON + timedelta(seconds=1), NOON + 57 * MINUTE)
    redis().zadd("marks", {"mail": mark.score})
    assert Mark.of(redis().zscore("marks", "mail") or 0) == mark
