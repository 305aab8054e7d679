"""The cron table in Redis."""

from __future__ import annotations

import threading
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from queues.connection import redis
from queues.cron import CronEntry, Scheduler
from queues.job import Job

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NOTE = "tests.queues.sample_jobs.note"


def entry(name: str = "mail", cron: str = "*/5 * * * *", zone: str | None = None) -> CronEntry:
    return CronEntry(name, cron, NOTE, "email-sync", "Pull mail", time_zone=zone)


@pytest.fixture
def table(clean_redis: None) -> tuple[CronEntry, ...]:
    return (entry(), entry("nightly", "0 2 * * *"))


def scheduler(*table: CronEntry) -> Scheduler:
    return Scheduler(table, redis())


def queued() -> list[str]:
    return [job.decode() for job in redis().lrange("rq:queue:email-sync", 0, -1)]


def test_registering_twice_leaves_one_entry_each(table: tuple[CronEntry, ...]) -> None:
    for _ in range(2):
        scheduler(*table).register(NOON)
    assert scheduler().names() == {"mail", "nightly"}


def test_an_entry_removed_from_code_disappears(table: tuple[CronEntry, ...]) -> None:
    scheduler(*table).register(NOON)
    scheduler(table[0]).register(NOON)
    assert scheduler().names() == {"mail"}
    assert not redis().exists("rq:job:nightly")


def test_a_tick_enqueues_a_fresh_job_named_after_its_time(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(*table)
    cron.register(NOON)
    assert cron.tick(NOON + timedelta(minutes=4, seconds=59)) == 0
    assert cron.tick(NOON + timedelta(minutes=5)) == 1
    assert cron.tick(NOON + timedelta(minutes=5)) == 0
    assert cron.tick(NOON + timedelta(minutes=10)) == 1
    assert queued() == ["mail-20260601T1205", "mail-20260601T1210"]
    assert Job.fetch("mail-20260601T1205", connection=redis()).kwargs == {"tick": "2026-06-01T12:05:00+00:00"}


def test_registering_again_keeps_an_overdue_tick(table: tuple[CronEntry, ...]) -> None:
    scheduler(*table).register(NOON)
    late = NOON + timedelta(minutes=7)
    restarted = scheduler(*table)
    restarted.register(late)
    assert restarted.tick(late) == 1
    assert queued() == ["mail-20260601T1205"]


def test_missed_ticks_are_made_up_for_once_not_in_a_burst(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(*table)
    cron.register(NOON)
    much_later = NOON + timedelta(days=4)
    assert cron.tick(much_later) == 2  # one per entry
    assert cron.tick(much_later) == 0
    assert cron.seconds_until_due(much_later) == 60  # the heartbeat comes first


def test_a_changed_cron_line_starts_anew(table: tuple[CronEntry, ...]) -> None:
    scheduler(entry(cron="0 2 * * *")).register(NOON)
    changed = scheduler(entry(cron="* * * * *"))
    changed.register(NOON)
    assert changed.seconds_until_due(NOON + timedelta(seconds=30)) == 30


def test_each_tick_happens_once_however_many_schedulers_run(table: tuple[CronEntry, ...]) -> None:
    schedulers = [scheduler(*table) for _ in range(4)]
    schedulers[0].register(NOON)
    counts: list[int] = []
    barrier = threading.Barrier(len(schedulers))

    def run(one: Scheduler) -> None:
        for minute in range(5, 500, 5):
            barrier.wait(10)
            counts.append(one.tick(NOON + timedelta(minutes=minute)))

    threads = [threading.Thread(target=run, args=(one,)) for one in schedulers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(counts) == 99
    assert len(set(queued())) == 99


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


def test_no_pickle_is_written_by_the_scheduler(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(*table)
    cron.register(NOON)
    cron.tick(NOON + timedelta(days=1))
    job_keys = list(redis().scan_iter("rq:job:*"))
    assert len(job_keys) == 4
    for key in job_keys:
        assert zlib.decompress(redis().hget(key, "data")).startswith(b"[")
        assert redis().hget(key, "meta").startswith(b"{")


def test_the_loop_ends_on_stop_and_shows_that_it_lives(table: tuple[CronEntry, ...]) -> None:
    stop, woken = threading.Event(), threading.Event()
    cron = scheduler(*table)
    thread = threading.Thread(target=cron.run, args=(stop, woken.set))
    thread.start()
    assert woken.wait(5)
    assert redis().ttl(cron.key) > 60
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert not redis().exists(cron.key)


def test_the_schedule_is_rebuilt_when_redis_comes_back_empty(table: tuple[CronEntry, ...]) -> None:
    cron = scheduler(*table)
    cron.wake(NOON)
    redis().flushall()
    assert cron.wake(NOON) == 60
    assert cron.names() == {"mail", "nightly"}
