"""Jobs that start later, jobs at the front, and jobs that are cancelled before they start."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from rq.registry import CanceledJobRegistry, ScheduledJobRegistry

from queues import enqueue
from queues.connection import redis
from queues.job import Job
from queues.new_job import NewJob
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}


def test_a_delayed_job_starts_at_its_moment_though_the_worker_was_already_waiting(
    start_worker: StartWorker,
) -> None:
    start_worker(**FAST)
    moment = datetime.now(UTC) + timedelta(seconds=1.25)
    assert enqueue.enqueue_at(new_job("note", "later", what="later"), moment)
    assert status_of("later") == "scheduled"
    wait_until(lambda: status_of("later") == "finished")
    started_at = Job.fetch("later", connection=redis()).started_at
    assert started_at is not None
    assert timedelta(0) <= started_at - moment < timedelta(seconds=0.25)


def test_a_job_that_is_due_earlier_than_the_first_one_is_not_late(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue.enqueue_in(new_job("note", "second", what="second"), timedelta(hours=1))
    enqueue.enqueue_in(new_job("note", "first", what="first"), timedelta(seconds=0.3))
    wait_until(lambda: ledger() == ["first"], timeout=2)
    assert status_of("second") == "scheduled"


def test_the_moment_is_kept_to_the_millisecond_and_shown_by_rq(clean_redis: None) -> None:
    moment = datetime(2031, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
    enqueue.enqueue_at(new_job("note", "later", what="x"), moment)
    registry = ScheduledJobRegistry("analytics", connection=redis())
    assert registry.get_job_ids() == ["later"]
    assert redis().zscore(registry.key, "later") == moment.timestamp()
    assert redis().lrange("rq:queue:analytics", 0, -1) == []


def test_a_delayed_job_is_unique_by_its_id(clean_redis: None) -> None:
    job = new_job("note", "later", what="x")
    assert enqueue.enqueue_in(job, timedelta(hours=1))
    first = redis().zscore("rq:scheduled:analytics", "later")
    assert not enqueue.enqueue_in(job, timedelta(hours=2))
    assert not enqueue.enqueue(job)
    assert redis().zscore("rq:scheduled:analytics", "later") == first


def test_a_past_moment_is_now(clean_redis: None) -> None:
    assert enqueue.enqueue_at(new_job("note", "past", what="x"), datetime(2020, 1, 1, tzinfo=UTC))
    assert enqueue.enqueue_in(new_job("note", "negative", what="x"), timedelta(seconds=-1))
    assert redis().lrange("rq:queue:analytics", 0, -1) == [b"past", b"negative"]


def test_a_moment_without_a_time_zone_is_refused(clean_redis: None) -> None:
    with pytest.raises(ValueError, match=r"later.*no time zone"):
        enqueue.enqueue_at(new_job("note", "later", what="x"), datetime(2031, 1, 1))  # noqa: DTZ001
    assert redis().keys("rq:*") == []


def test_a_later_job_wakes_nobody(clean_redis: None) -> None:
    enqueue.enqueue_in(new_job("note", "one", what="x"), timedelta(minutes=1))
    enqueue.enqueue_in(new_job("note", "two", what="x"), timedelta(minutes=2))
    assert redis().llen("clianta:doorbell") == 1


def test_a_full_redis_refuses_a_delayed_job_as_a_whole(clean_redis: None) -> None:
    unlimited = redis().config_get("maxmemory")["maxmemory"]
    try:
        redis().config_set("maxmemory", 1)
        with pytest.raises(enqueue.RedisError, match="OOM"):
            enqueue.enqueue_in(new_job("note", "later", what="x"), timedelta(hours=1))
    finally:
        redis().config_set("maxmemory", unlimited)
    assert redis().keys("rq:*") == []


def test_a_job_at_the_front_runs_before_those_that_wait(start_worker: StartWorker) -> None:
    enqueue.enqueue_many([new_job("note", f"n{n}", what=str(n)) for n in range(3)])
    urgent = new_job("note", "urgent", what="urgent")
    enqueue.enqueue(NewJob(urgent.queue, urgent.func, urgent.id, urgent.kwargs, at_front=True))
    start_worker(**FAST, QUEUE_CONCURRENCY="1")
    wait_until(lambda: len(ledger()) == 4)
    assert ledger() == ["urgent", "0", "1", "2"]


def test_a_delayed_job_at_the_front_goes_to_the_front_when_it_is_due(start_worker: StartWorker) -> None:
    enqueue.enqueue_many([new_job("note", f"n{n}", what=str(n)) for n in range(3)])
    urgent = new_job("note", "urgent", what="urgent")
    enqueue.enqueue_in(
        NewJob(urgent.queue, urgent.func, urgent.id, urgent.kwargs, at_front=True), timedelta(hours=1)
    )
    redis().zadd("rq:scheduled:analytics", {"urgent": time.time() - 1})
    start_worker(**FAST, QUEUE_CONCURRENCY="1")
    wait_until(lambda: len(ledger()) == 4)
    assert ledger()[0] == "urgent"


@pytest.mark.parametrize("delay", [timedelta(hours=1), timedelta(0)], ids=["delayed", "waiting"])
def test_a_cancelled_job_never_starts_and_rq_shows_it(start_worker: StartWorker, delay: timedelta) -> None:
    enqueue.enqueue_in(new_job("note", "c1", what="c1"), delay)
    assert enqueue.cancel("c1")
    assert not enqueue.cancel("c1")
    start_worker(**FAST)
    enqueue.enqueue(new_job("note", "other", what="other"))
    wait_until(lambda: ledger() == ["other"])
    assert status_of("c1") == "canceled"
    assert CanceledJobRegistry("analytics", connection=redis()).get_job_ids() == ["c1"]
    assert redis().zcard("rq:scheduled:analytics") == 0
    assert redis().ttl("rq:job:c1") > 0


def test_a_job_that_runs_or_does_not_exist_is_not_cancelled(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue.enqueue(new_job("wait_for_go", "r1", what="r1"))
    wait_until(lambda: ledger() == ["r1 started"])
    assert not enqueue.cancel("r1")
    assert not enqueue.cancel("nobody")
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("r1") == "finished")


def test_many_jobs_each_at_its_own_moment_are_enqueued_together(clean_redis: None) -> None:
    moments = [datetime(2020, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)]
    jobs = [(new_job("note", f"job-{at:%Y}", what="x"), at) for at in moments]
    assert enqueue.enqueue_each_at([*jobs, *jobs]) == 2
    assert [status_of(job.id) for job, _ in jobs] == ["queued", "scheduled"]
