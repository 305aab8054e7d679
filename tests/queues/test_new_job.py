"""What Redis holds of a job that we enqueue is what it holds of one that RQ enqueues."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from rq import Retry
from rq.queue import Queue

from queues import clock, enqueue
from queues.chains import chain
from queues.connection import redis
from queues.job import Job
from queues.names import UnknownQueue
from queues.new_job import NewJob

FUNC = "tests.queues.sample_jobs.note"
OF_THE_MOMENT = (b"created_at", b"enqueued_at", b"data")
OURS = (b"on_failure",)


def stored(job_id: str) -> dict[bytes, Any]:
    fields: dict[bytes, Any] = redis().hgetall(f"rq:job:{job_id}")  # type: ignore[assignment]
    return {name: value for name, value in fields.items() if name not in (*OF_THE_MOMENT, *OURS)} | {
        b"arguments": zlib.decompress(fields[b"data"]),
        b"has": sorted(name for name in OF_THE_MOMENT if name in fields),
    }


def by_rq(job_id: str, **options: Any) -> None:
    queue = Queue("analytics", connection=redis(), job_class=Job)
    queue.enqueue(
        FUNC,
        kwargs={"what": "ü"},
        job_id=job_id,
        description="a note",
        job_timeout=600,
        result_ttl=24 * 3_600,
        failure_ttl=7 * 86_400,
        retry=Retry(max=3, interval=[1, 5, 30]),
        **options,
    )


def test_a_job_s_hash_is_as_rq_writes_it(clean_redis: None) -> None:
    by_rq("theirs", meta={"tick": "now"})
    enqueue.enqueue(NewJob("analytics", FUNC, "ours", {"what": "ü"}, "a note", {"tick": "now"}))
    assert stored("ours") == stored("theirs")


def test_a_dependent_s_hash_is_as_rq_writes_it(clean_redis: None) -> None:
    first = NewJob("analytics", FUNC, "first", {"what": "x"})
    chain(first, NewJob("analytics", FUNC, "ours", {"what": "ü"}, "a note"))
    by_rq("theirs", depends_on=Job.fetch("first", connection=redis()))
    assert stored("ours") == stored("theirs")
    assert redis().smembers("rq:job:first:dependents") == {b"ours", b"theirs"}
    assert redis().smembers("rq:job::ours:dependencies") == redis().smembers("rq:job::theirs:dependencies")


def test_what_cannot_be_a_job_is_refused_before_anything_is_written(clean_redis: None) -> None:
    with pytest.raises(UnknownQueue, match="no queue 'nowhere'"):
        enqueue.enqueue(NewJob("nowhere", FUNC, "j1"))
    with pytest.raises(ValueError, match="Job ID must"):
        enqueue.enqueue(NewJob("analytics", FUNC, "j:1"))
    with pytest.raises(TypeError, match="JSON"):
        enqueue.enqueue(NewJob("analytics", FUNC, "j1", {"what": object()}))
    assert redis().keys("*") == []


def test_a_retry_s_wait_is_spread_by_a_fifth_to_both_sides(clean_redis: None) -> None:
    job = Job("a", connection=redis())
    job.retries_left, job.retry_intervals = 1, [1, 5, 30]

    waits = [job.retry_due() - clock.now() for _ in range(300)]

    assert 23.9 < min(waits) < 26 < 34 < max(waits) < 36.1
