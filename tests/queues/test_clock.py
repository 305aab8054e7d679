"""Redis' clock was set back: what each worker mends, and what the others wrote by the old time meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from queues import claim, clock, heartbeat, keys
from queues.connection import redis
from queues.enqueue import enqueue
from queues.scripts import run
from tests.queues.conftest import new_job

HOUR = 3_600.0
LOCKS, RETRIES = "rq:wip:analytics", "rq:scheduled:analytics"


@pytest.fixture(autouse=True)
def own_offset(clean_redis: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(clock, "_offset", None)
    clock.follow(redis())
    yield
    redis().config_set("maxmemory", 0)


def park(at: float) -> None:
    """A lock and a retry, each for that time."""
    redis().hset("rq:job:retry", mapping={"ended_at": "2026-01-01T00:00:00Z"})
    redis().zadd(LOCKS, {"orphan:1": at})
    redis().zadd(RETRIES, {"retry": at})


def due_in() -> list[float | None]:
    """Seconds until the lock lapses, and until the retry is due."""
    now = clock.now()
    return [(redis().zscore(LOCKS, "orphan:1") or 0) - now, (redis().zscore(RETRIES, "retry") or 0) - now]


def be_an_hour_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a worker that has not yet seen that the clock was set back; another one has."""
    monkeypatch.setattr(clock, "_offset", (clock._offset or 0.0) + HOUR)


def test_what_a_worker_wrote_that_saw_it_later_than_another_waits_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_an_hour_ahead(monkeypatch)
    park(clock.now() + 30)
    clock.follow(redis())
    assert due_in() == [pytest.approx(30, abs=5)] * 2


def test_what_was_moved_already_is_not_moved_by_the_next_worker_to_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    park(clock.now() + 30)
    be_an_hour_ahead(monkeypatch)
    clock.follow(redis())
    assert due_in() == [pytest.approx(30, abs=5)] * 2


def test_a_full_redis_remembers_that_it_was_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    park(clock.now() + HOUR + 30)
    redis().set(keys.CLOCK, clock.now() + HOUR)
    redis().config_set("maxmemory", 1)
    for _ in range(3):
        clock.follow(redis())
    assert due_in() == [pytest.approx(30, abs=5)] * 2


def test_a_late_job_is_put_off_once_though_each_next_look_is_late_too() -> None:
    moment = clock.moment()
    enqueue(new_job("noop", "orphan", payload=""))
    claim.claim(redis(), "dead", 1, moment)
    assert claim.claim(redis(), "dies young", 1, moment + timedelta(hours=1)).claimed == []
    taken = claim.claim(redis(), "next", 1, moment + timedelta(hours=2)).claimed
    assert [claimed.job.id for claimed in taken] == ["orphan"]


def test_a_job_whose_owner_renews_its_lock_is_never_taken_by_a_worker_whose_clock_is_ahead() -> None:
    enqueue(new_job("noop", "held", payload=""))
    running = claim.claim(redis(), "owner", 1, clock.moment()).claimed
    for _ in range(3):
        assert claim.claim(redis(), "ahead", 1, clock.moment() + timedelta(hours=1)).claimed == []
        assert run(redis(), heartbeat.call("owner", running)) == [[1]]
