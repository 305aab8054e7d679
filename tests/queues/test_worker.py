"""The worker, as a process of its own."""

from __future__ import annotations

import signal
import time
import zlib

import psutil
import pytest
from rq.command import send_stop_job_command
from rq.registry import FailedJobRegistry

from queues.claim import STALLED
from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from queues.job import Job
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}


def test_a_job_runs_once_and_its_result_is_kept(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    assert enqueue(new_job("note", "n1", what="hello"))
    assert not enqueue(new_job("note", "n1", what="hello"))
    wait_until(lambda: status_of("n1") == "finished")
    assert ledger() == ["hello"]
    job = Job.fetch("n1", connection=redis())
    assert job.return_value() == "hello"
    assert 0 < redis().ttl(job.key) <= 24 * 3_600


def test_a_failing_job_is_retried_after_1_5_and_30_seconds_then_is_a_dead_letter(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_worker(**FAST)
    job = new_job("fail", "f1")
    waits = []

    def due_in() -> float | None:
        score = redis().zscore("rq:scheduled:analytics", "f1")
        return float(score) - time.time() if score else None

    enqueue(job)
    for _ in range(3):
        waits.append(wait_until(due_in, what="the retry's schedule"))
        redis().zadd("rq:scheduled:analytics", {"f1": time.time()}, xx=True)  # no need to sit it out
        redis().rpush("clianta:doorbell", "1")
        wait_until(lambda: len(ledger()) == len(waits) + 1, what="the retry")
    wait_until(lambda: status_of("f1") == "failed")
    for wait, meant in zip(waits, (1, 5, 30), strict=True):
        assert 0.8 * meant - 0.2 < wait <= 1.2 * meant
    assert ledger() == ["fail"] * 4
    assert "f1" in FailedJobRegistry("analytics", connection=redis(), job_class=Job)
    assert "as asked" in Job.fetch("f1", connection=redis()).latest_result().exc_string


def test_the_first_retry_comes_by_itself(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue(new_job("fail", "f2"))
    wait_until(lambda: len(ledger()) == 2, timeout=5, what="the retry after one second")


def test_a_job_does_not_come_back_before_the_error_says(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    before = time.time()
    enqueue(new_job("fail_until_later", "f3"))
    wait_until(lambda: redis().zscore("rq:scheduled:analytics", "f3"), what="the plan of the retry")
    wait = float(redis().zscore("rq:scheduled:analytics", "f3") or 0) - before
    assert 20 <= wait < 30  # RQ's own first wait would be one second


def test_a_permanent_error_is_a_dead_letter_at_once(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue(new_job("fail_for_good", "p1"))
    wait_until(lambda: status_of("p1") == "failed")
    assert ledger() == ["fail_for_good"]


def test_high_priority_jobs_run_first(start_worker: StartWorker) -> None:
    enqueue(new_job("note", "low", queue="analytics", what="low"))
    enqueue(new_job("note", "medium", queue="email-sync", what="medium"))
    enqueue(new_job("note", "high", queue="crm-events", what="high"))
    start_worker(**FAST, QUEUE_CONCURRENCY="1")
    wait_until(lambda: len(ledger()) == 3)
    assert ledger() == ["high", "medium", "low"]


def test_three_jobs_run_at_once(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue_many([new_job("wait_for_go", f"w{n}", what=str(n)) for n in range(4)])
    wait_until(lambda: len(ledger()) == 3)
    assert sorted(ledger()) == ["0 started", "1 started", "2 started"]
    redis().rpush("test:go", *"1234")
    wait_until(lambda: len(ledger()) == 8)


def test_no_queue_starts_more_jobs_a_second_than_allowed(start_worker: StartWorker) -> None:
    start_worker(QUEUE_MAX_JOBS_PER_SECOND="5")
    started = time.monotonic()
    enqueue_many([new_job("note", f"r{n}", what=str(n)) for n in range(10)])
    wait_until(lambda: len(ledger()) == 10)
    assert 0.9 < time.monotonic() - started < 3  # five at once, then one each 200 ms
    assert sorted(ledger()) == [str(n) for n in range(10)]


def test_two_workers_together_start_no_more_than_allowed(start_worker: StartWorker) -> None:
    workers = [start_worker(QUEUE_MAX_JOBS_PER_SECOND="5", QUEUE_CONCURRENCY="1") for _ in range(2)]
    started = time.monotonic()
    enqueue_many([new_job("note_pid", f"r{n}") for n in range(15)])
    wait_until(lambda: len(ledger()) == 15)
    assert time.monotonic() - started > 1.9  # five at once, then one each 200 ms
    assert set(ledger()) <= {str(worker.pid) for worker in workers}


def test_a_job_over_its_time_limit_gets_an_exception(start_worker: StartWorker) -> None:
    enqueue(new_job("spin", "t1", what="t1"))
    redis().hset("rq:job:t1", mapping={"timeout": 1, "retries_left": 0})
    start_worker(**FAST)
    wait_until(lambda: status_of("t1") == "failed")
    assert "longer than its limit of 1 s" in Job.fetch("t1", connection=redis()).latest_result().exc_string


def test_a_job_of_a_killed_worker_runs_again_and_the_second_kill_quarantines_it(
    start_worker: StartWorker,
) -> None:
    worker = start_worker(**FAST)
    enqueue(new_job("kill_own_worker", "k1"))
    assert worker.wait(10) == -signal.SIGKILL
    for life in (1, 2):
        member = redis().zrange("rq:wip:analytics", 0, 0)[0]
        redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
        worker = start_worker(**FAST)
        if life == 1:
            assert worker.wait(10) == -signal.SIGKILL
    wait_until(lambda: status_of("k1") == "failed")
    assert ledger() == ["killed", "killed"]
    assert Job.fetch("k1", connection=redis()).latest_result().exc_string == STALLED


def test_sigterm_waits_for_a_running_job(start_worker: StartWorker) -> None:
    worker = start_worker(**FAST)
    enqueue(new_job("wait_for_go", "s1", what="s1"))
    wait_until(lambda: ledger() == ["s1 started"])
    worker.send_signal(signal.SIGTERM)
    redis().rpush("test:go", "1")
    assert worker.wait(10) == 0
    assert status_of("s1") == "finished"


def test_sigterm_hands_back_what_does_not_end_within_the_grace(start_worker: StartWorker) -> None:
    worker = start_worker(**FAST, SHUTDOWN_GRACE="1")
    enqueue(new_job("wait_for_go", "s2", what="s2"))
    wait_until(lambda: ledger() == ["s2 started"])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert status_of("s2") == "queued"
    assert Job.fetch("s2", connection=redis()).retries_left == 3
    assert redis().lrange("rq:queue:analytics", 0, -1) == [b"s2"]
    assert redis().zcard("rq:wip:analytics") == 0


def test_an_idle_worker_ends_at_once_on_sigterm(start_worker: StartWorker) -> None:
    worker = start_worker(**FAST)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(5) == 0


def test_a_job_pushed_by_a_stock_tool_wakes_the_worker(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue(new_job("fail_for_good", "q1"))
    wait_until(lambda: status_of("q1") == "failed")
    FailedJobRegistry("analytics", connection=redis(), job_class=Job).requeue("q1")
    wait_until(lambda: len(ledger()) == 2, timeout=5)


def test_no_pickle_reaches_redis(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue(new_job("note", "j1", what="x"))
    enqueue(new_job("fail_for_good", "j2"))
    wait_until(lambda: status_of("j1") == "finished" and status_of("j2") == "failed")
    for key in redis().scan_iter("rq:job:*"):
        assert zlib.decompress(redis().hget(key, "data")).startswith(b"[")
        assert redis().hget(key, "meta") in (None, b"{}")


def test_a_stopped_job_ends_and_is_not_retried(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    enqueue_many([new_job("spin", "s1", what="s1"), new_job("spin", "s2", what="s2")])
    wait_until(lambda: len(ledger()) == 2)
    for job_id in ("s2", "s1"):
        send_stop_job_command(redis(), job_id, serializer="json")
        wait_until(lambda job_id=job_id: status_of(job_id) == "stopped")
    assert sorted(ledger()) == ["s1 started", "s2 started"]


def test_a_job_that_ignores_its_time_limit_makes_the_worker_hand_back_the_others_and_leave(
    start_worker: StartWorker,
) -> None:
    enqueue(new_job("block_in_c", "stuck", what="stuck"))
    redis().hset("rq:job:stuck", "timeout", 1)
    enqueue(new_job("wait_for_go", "innocent", what="innocent"))
    worker = start_worker(**FAST, STUCK_AFTER="1")
    assert worker.wait(20) == 70
    assert status_of("innocent") == "queued"
    assert redis().lrange("rq:queue:analytics", 0, -1) == [b"innocent"]
    assert status_of("stuck") == "started"  # until its lock lapses


def test_a_worker_s_processes_are_renewed_after_their_jobs_and_end_together(
    start_worker: StartWorker,
) -> None:
    parent = start_worker(**FAST, WORKER_PROCESSES="2", WORKER_MAX_JOBS="3")
    enqueue_many([new_job("note_pid", f"r{n}") for n in range(20)])
    wait_until(lambda: len(ledger()) == 20, timeout=30)
    assert len(set(ledger())) >= 3  # two processes with a little more than three jobs each are not enough
    children = psutil.Process(parent.pid).children(recursive=True)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(15) == 0
    assert psutil.wait_procs(children, timeout=5)[1] == []


def test_a_process_that_has_grown_is_renewed(start_worker: StartWorker) -> None:
    start_worker(**FAST, WORKER_MAX_MB="250", QUEUE_CONCURRENCY="1")
    for number, megabytes in enumerate([1, 1, 300, 1]):
        enqueue(new_job("grow", f"g{number}", megabytes=megabytes))
        wait_until(lambda: len(ledger()) == number + 1)  # noqa: B023 - called at once
    first, second, third, fourth = ledger()
    assert first == second == third != fourth
