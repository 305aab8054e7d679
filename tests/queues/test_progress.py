"""How far a running job is."""

from __future__ import annotations

import pytest

from queues import enqueue, progress
from queues.connection import connect, redis
from queues.job import Job
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
KEY = "rq:job:p1"


@pytest.fixture
def reporter(clean_redis: None) -> progress.Reporter:
    redis().hset(KEY, "data", "[]")
    return progress.Reporter(redis(), KEY)


def hsets() -> int:
    return int(redis().info("commandstats").get("cmdstat_hset", {}).get("calls", 0))


def test_progress_is_seen_while_the_job_runs(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue.enqueue(new_job("report_and_wait", "p1", what="p1"))
    wait_until(lambda: ledger() == ["p1 started"])
    seen = progress.of_job("p1")
    assert seen is not None
    assert (seen.done, seen.total, seen.note, seen.percent) == (1, 2, "half", 50)
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("p1") == "finished")


def test_the_last_report_is_kept_when_the_job_has_ended(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue.enqueue(new_job("report_progress", "p1", times=1_000, what="row"))
    wait_until(lambda: status_of("p1") == "finished")
    seen = progress.of_job("p1")
    assert seen is not None
    assert (seen.done, seen.note) == (1_000, "row 1000")


def test_a_thousand_reports_within_a_second_cost_two_commands(
    reporter: progress.Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0)
    before = hsets()
    for n in range(1_000):
        reporter.report(n, 1_000, "")
    reporter.flush()
    reporter.flush()
    assert hsets() - before == 2


def test_a_report_is_written_again_after_a_second(
    reporter: progress.Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    reporter.report(1, None, "one")
    clock[0] += 1
    reporter.report(2, None, "two")
    seen = progress.of_job("p1")
    assert seen is not None
    assert (seen.note, seen.total, seen.percent) == ("two", None, None)


@pytest.mark.parametrize("reports_before", [0, 1])
def test_a_report_does_not_bring_a_deleted_job_back(reporter: progress.Reporter, reports_before: int) -> None:
    for n in range(reports_before):
        reporter.report(n, 10, "")
    redis().delete(KEY)
    reporter.report(5, 10, "")
    reporter.flush()
    assert not redis().exists(KEY)


def test_an_absent_redis_does_not_fail_the_job_that_reports() -> None:
    reporter = progress.Reporter(connect("redis://127.0.0.1:1"), KEY)
    reporter.report(1, 2, "")


def test_outside_of_a_job_a_report_does_nothing(clean_redis: None) -> None:
    progress.report(1, 2, "nobody hears it")
    assert redis().keys("*") == []


def test_what_the_job_keeps_in_its_meta_is_left_alone(reporter: progress.Reporter) -> None:
    job = Job.create("tests.queues.sample_jobs.noop", id="p1", connection=redis(), meta={"tick": "now"})
    job.save()
    job.reporter = reporter
    job.progress(1, 2, "half")
    job.save_meta()
    seen = progress.of_job("p1")
    assert Job.fetch("p1", connection=redis()).meta == {"tick": "now"}
    assert seen is not None
    assert seen.note == "half"
