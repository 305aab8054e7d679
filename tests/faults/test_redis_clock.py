"""The clock of Redis itself is set by an hour while jobs run, wait and are to be retried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import config
from queues import claim, clock, keys
from queues.connection import redis
from queues.doorbell import Doorbell
from queues.enqueue import enqueue, enqueue_in, enqueue_many
from queues.frugal.look import Look
from queues.frugal.worker import LAPSE
from sandbox.process import Server
from tests.faults import redis_clock
from tests.faults.conftest import StartWorker, assert_nothing_is_under_way, has_finished, name_of, new_job
from tests.faults.ledger import Ledger
from tests.waiting import wait_until

HOUR = timedelta(hours=1)
HELD, STUMBLING = 2, 6
SetAhead = Callable[[timedelta], None]

pytestmark = pytest.mark.skipif(not redis_clock.IS_POSSIBLE, reason="Linux on x86-64 only")
steps = pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["an-hour-ahead", "an-hour-back"])


@pytest.fixture
def set_ahead(redis_process: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetAhead]:
    """Set Redis' clock ahead of the machine's; in the end it is right again."""
    pid = redis_process.pid
    assert pid
    monkeypatch.setattr(clock, "_offset", None)
    yield lambda by: redis_clock.set_ahead(pid, by)
    redis_clock.set_ahead(pid, timedelta(0))


@steps
@pytest.mark.usefixtures("profile")
def test_jobs_are_neither_lost_nor_repeated_nor_held_up(
    step: timedelta, start_worker: StartWorker, set_ahead: SetAhead, ledger: Ledger, tmp_path: Path
) -> None:
    """They run on two workers when it happens; a third one starts, and looks for what has stalled."""
    gate = tmp_path / "gate"
    workers = [start_worker(), start_worker()]
    held = [f"held-{n}" for n in range(HELD)]
    stumbling = [f"stumble-{n}" for n in range(STUMBLING)]
    enqueue_many([new_job("wait_for_file", job_id, path=str(gate)) for job_id in held])
    wait_until(lambda: ledger.count("start") == dict.fromkeys(held, 1))
    enqueue_many([new_job("stumble", job_id) for job_id in stumbling])
    enqueue_in(new_job("work", "delayed"), timedelta(seconds=1))
    wait_until(lambda: redis().zcard("rq:scheduled:analytics") == STUMBLING + 1)

    if config.settings().is_frugal:  # they are warned by a wait that ends too early
        wait_until(lambda: redis().info("clients")["blocked_clients"] == len(workers), what="waits")
    set_ahead(step)
    if config.settings().is_frugal:  # they are quick all the same; the others need no time
        wait_until(lambda: all(name_of(worker.pid) for worker in workers), what="signs of life")
    workers.append(start_worker())
    enqueue(new_job("work", "after"))
    others = ["delayed", "after", *stumbling]
    wait_until(lambda: all(map(has_finished, others)), timeout=12, what="what waited")
    gate.touch()
    wait_until(lambda: all(map(has_finished, held)), what="what ran")
    assert set(ledger.count("end").values()) == {1}
    assert ledger.repeated_without_cause(set()) == []
    assert [worker.code() for worker in workers] == [None] * 3
    assert_nothing_is_under_way()


def test_the_lock_of_a_dead_worker_lasts_no_longer(clean_redis: None, set_ahead: SetAhead) -> None:
    clock.follow(redis())
    enqueue(new_job("work", "orphan"))
    claim.claim(redis(), "dead", 1, clock.moment())
    set_ahead(-HOUR)
    clock.follow(redis())
    ((_, lapses),) = redis().zrange("rq:wip:analytics", 0, -1, withscores=True)
    assert claim.LOCK - 5 < lapses - clock.now() <= claim.LOCK + 1
    claim.claim(redis(), "alive", 0, clock.moment() + timedelta(seconds=claim.LOCK + 2))
    assert redis().lrange("rq:queue:analytics", 0, -1) == [b"orphan"]


def test_a_lock_that_seems_to_have_lapsed_long_ago_gets_time_to_be_renewed(clean_redis: None) -> None:
    moment = clock.moment()
    enqueue(new_job("work", "j"))
    claim.claim(redis(), "w", 1, moment)
    spared = claim.claim(redis(), "other", 1, moment + HOUR)
    assert spared.claimed == []
    assert spared.due_at
    assert 20 < spared.due_at - (moment + HOUR).timestamp() <= 30
    taken = claim.claim(redis(), "other", 1, moment + HOUR + timedelta(seconds=31))
    assert [claimed.job.id for claimed in taken.claimed] == ["j"]


def test_a_dead_frugal_worker_s_key_lasts_no_longer(clean_redis: None, set_ahead: SetAhead) -> None:
    redis().hset(keys.FRUGAL_WORKERS, "dead", 1)
    redis().set("rq:worker:dead", "", ex=LAPSE)
    set_ahead(-HOUR)
    Look(redis(), "w", LAPSE).when_due(None)
    assert LAPSE - 5 < redis().ttl("rq:worker:dead") <= LAPSE


def test_a_retry_waits_no_longer_but_a_delayed_job_keeps_its_time(
    clean_redis: None, set_ahead: SetAhead
) -> None:
    clock.follow(redis())
    enqueue_many([new_job("work", "retry"), new_job("work", "delayed")])
    now = clock.now()
    for job_id, ended_at in (("retry", "2026-01-01T00:00:00Z"), ("delayed", "")):
        redis().hset(f"rq:job:{job_id}", "ended_at", ended_at)
        redis().zadd("rq:scheduled:analytics", {job_id: now + 30})
    redis().set(keys.LAST_TRIM, "1")
    set_ahead(-HOUR)
    clock.follow(redis())
    assert redis().zscore("rq:scheduled:analytics", "delayed") == pytest.approx(now + 30)
    assert redis().zscore("rq:scheduled:analytics", "retry") == pytest.approx(clock.now() + 30, abs=5)
    assert not redis().exists(keys.LAST_TRIM)


def test_a_wait_that_redis_does_not_end_in_time_is_ended_by_the_worker(
    clean_redis: None, set_ahead: SetAhead
) -> None:
    """Redis measures the time of a wait by the clock that can be set back."""
    bell = Doorbell(redis())
    bell.wait(0.01)
    assert bell._blocking
    assert bell._blocking.connection
    bell.wait(2)
    assert bell._blocking.connection._get_socket().gettimeout() == 2 + 5
