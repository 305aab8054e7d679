"""The frugal profile, by real worker processes: it keeps the promises of the standard one."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from subprocess import Popen

import pytest
from rq.registry import FailedJobRegistry

import config
from queues import dead_letters, keys, pause
from queues.batches import batch
from queues.chains import chain
from queues.claim import STALLED
from queues.connection import redis
from queues.enqueue import cancel, enqueue, enqueue_in, enqueue_many
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.new_job import JobIsRunning
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.sink import listening
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("frugal")

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
Start = Callable[..., Popen[bytes]]


@pytest.fixture
def start(start_worker: StartWorker) -> Start:
    return partial(start_worker, **FAST)


def left() -> set[str]:
    """Keys that hold or tell of a job."""
    return {
        key.decode()
        for pattern in ("rq:job:*", "rq:queue:*", "clianta:taken:*", "clianta:bell:*", "rq:wip:*")
        for key in redis().scan_iter(pattern, count=1_000)
    }


def lapse(worker: Popen[bytes]) -> None:
    """A killed worker's key lapses."""
    assert worker.wait(10) == -signal.SIGKILL
    redis().delete(*redis().keys("rq:worker:*"))


def test_jobs_run_in_order_of_priority_and_leave_nothing(start: Start) -> None:
    for name, queue in (("low", "analytics"), ("medium", "email-sync"), ("high", "crm-events")):
        enqueue_many([new_job("note", f"{name}{n}", queue=queue, what=name) for n in range(2)])
    start(QUEUE_CONCURRENCY="1")
    wait_until(lambda: not left())
    assert ledger() == ["high", "high", "medium", "medium", "low", "low"]


def test_a_job_starts_at_once_on_an_idle_worker_and_only_once(start: Start) -> None:
    start()
    for n in range(5):
        begun = time.monotonic()
        assert enqueue(new_job("note", f"n{n}", what=str(n)))
        wait_until(lambda n=n: len(ledger()) == n + 1)
        assert time.monotonic() - begun < 0.5
    wait_until(lambda: not left())


def test_a_job_that_waits_is_enqueued_once(start: Start) -> None:
    assert enqueue(new_job("note", "one", what="1"))
    assert not enqueue(new_job("note", "one", what="2"))
    assert enqueue_many([new_job("note", "two", what="2"), new_job("note", "two", what="3")]) == 1
    start()
    wait_until(lambda: not left())
    assert sorted(ledger()) == ["1", "2"]


def test_three_jobs_run_at_once(start: Start) -> None:
    start()
    enqueue_many([new_job("wait_for_go", f"w{n}", what=str(n)) for n in range(4)])
    wait_until(lambda: len(ledger()) == 3)
    redis().rpush("test:go", *"1234")
    wait_until(lambda: len(ledger()) == 8)


def test_three_workers_share_a_burst_and_run_each_job_once(start: Start) -> None:
    for _ in range(3):
        start()
    enqueue_many([new_job("note", f"b{n}", what=str(n)) for n in range(500)])
    wait_until(lambda: not left(), timeout=30)
    assert Counter(ledger()) == Counter(map(str, range(500)))


def test_each_worker_keeps_to_the_rate(start: Start) -> None:
    start(QUEUE_MAX_JOBS_PER_SECOND="5")
    started = time.monotonic()
    enqueue_many([new_job("note", f"r{n}", what=str(n)) for n in range(10)])
    wait_until(lambda: len(ledger()) == 10)
    assert 0.9 < time.monotonic() - started < 3  # five at once, then one each 200 ms


# Failures.


def test_a_failed_job_is_tried_again_after_a_second(start: Start) -> None:
    start()
    enqueue(new_job("fail", "f1"))
    wait_until(lambda: len(ledger()) == 2, timeout=4)
    wait_until(lambda: Job.fetch("f1", connection=redis()).retries_left == 1)
    assert status_of("f1") == "scheduled"


def test_a_dead_letter_is_requeued_by_us_and_by_rq(start: Start) -> None:
    start()
    enqueue(new_job("fail_for_good", "d1"))
    wait_until(lambda: dead_letters.count() == 1)
    assert "never again" in dead_letters.get("d1").error
    dead_letters.requeue(["d1"])
    wait_until(lambda: len(ledger()) == 2 and dead_letters.count() == 1)
    FailedJobRegistry("analytics", connection=redis(), job_class=Job).requeue("d1")
    wait_until(lambda: len(ledger()) == 3 and dead_letters.count() == 1)


def test_a_job_over_its_time_limit_gets_an_exception(start: Start) -> None:
    enqueue(new_job("spin", "t1", what="t1"))
    redis().hset("rq:job:t1", mapping={"timeout": 1, "retries_left": 0})
    start()
    wait_until(lambda: status_of("t1") == "failed")


# Delays, chains, batches.


def test_a_delayed_job_starts_in_time(start: Start) -> None:
    start()
    enqueue_in(new_job("note", "later", what="later"), timedelta(hours=1))
    begun = time.monotonic()
    enqueue_in(new_job("note", "soon", what="soon"), timedelta(seconds=1))
    wait_until(ledger)
    assert 0.9 < time.monotonic() - begun < 1.5
    assert ledger() == ["soon"]
    assert cancel("later")


def test_a_delayed_job_of_before_the_worker_s_start_runs(start: Start) -> None:
    enqueue_in(new_job("note", "soon", what="soon"), timedelta(seconds=0.3))
    redis().delete(keys.DOORBELL)
    start()
    wait_until(ledger)


def test_a_chain_runs_in_order_and_stays_on_record(start: Start) -> None:
    start()
    jobs = [new_job("note", name, what=name) for name in "abc"]
    assert chain(*jobs) == 3
    wait_until(lambda: ledger() == ["a", "b", "c"] and status_of("c") == "finished")
    assert chain(*jobs) == 0


def test_a_chain_goes_on_after_a_job_that_was_waiting_already(start: Start) -> None:
    enqueue(new_job("note", "a", what="a"))
    assert chain(new_job("note", "a", what="a"), new_job("note", "b", what="b")) == 1
    start()
    wait_until(lambda: ledger() == ["a", "b"])


def test_a_batch_s_callback_runs_when_all_members_are_done(start: Start) -> None:
    start()
    members = [new_job("note", f"m{n}", what="m") for n in range(150)]
    assert batch(members, new_job("note", "then", what="then")) == 150
    wait_until(lambda: ledger()[-1:] == ["then"])
    assert ledger() == ["m"] * 150 + ["then"]


def test_nothing_can_begin_to_wait_for_a_job_that_runs(start: Start) -> None:
    start()
    enqueue(new_job("wait_for_go", "a", what="a"))
    wait_until(ledger)
    running, other = new_job("wait_for_go", "a", what="a"), new_job("note", "b", what="b")
    with pytest.raises(JobIsRunning):
        chain(running, other)
    with pytest.raises(JobIsRunning):
        batch([running], other)
    redis().rpush("test:go", "1")
    wait_until(lambda: not left())


def test_a_finished_job_is_announced(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "a secret of some length")
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "true")
    config.settings.cache_clear()
    with listening() as sink:
        enqueue(replace(new_job("note", "w1", what="hello"), webhook=f"{sink.url}/hook"))
        start()
        (request,) = wait_until(lambda: sink.requests)
    assert json.loads(request.body)["result"] == "hello"
    assert status_of("w1") == "finished"


# Pause, suspend.


def test_a_paused_queue_waits_and_others_go_on(start: Start) -> None:
    start()
    pause.pause("analytics", by="test", reason="test")
    enqueue(new_job("note", "p1", what="paused"))
    enqueue(new_job("note", "p2", queue="crm-events", what="other"))
    wait_until(ledger)
    pause.resume("analytics")
    wait_until(lambda: ledger() == ["other", "paused"], timeout=2)


def test_a_pause_is_known_to_a_worker_that_starts_later(start: Start) -> None:
    pause.pause("analytics", by="test", reason="test")
    enqueue(new_job("note", "p1", what="paused"))
    enqueue(new_job("note", "p2", queue="crm-events", what="other"))
    start()
    wait_until(ledger)
    assert status_of("p1") == "queued"
    pause.resume("analytics")
    wait_until(lambda: ledger() == ["other", "paused"], timeout=2)


def test_a_suspended_worker_takes_nothing_and_stops_at_once(start: Start) -> None:
    redis().set(keys.SUSPENDED, 1)
    worker = start()
    enqueue(new_job("note", "s1", what="s"))
    wait_until(lambda: redis().info("commandstats").get("cmdstat_blpop"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(5) == 0
    assert ledger() == []
    redis().delete(keys.SUSPENDED)
    start()
    wait_until(ledger)


# Ends of workers.


def test_sigterm_hands_back_what_does_not_end_within_the_grace(start: Start) -> None:
    worker = start(SHUTDOWN_GRACE="1")
    enqueue(new_job("wait_for_go", "s2", what="s2"))
    wait_until(lambda: ledger() == ["s2 started"])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert status_of("s2") == "queued"
    assert Job.fetch("s2", connection=redis()).retries_left == 3
    assert redis().lrange("rq:queue:analytics", 0, -1) == [b"s2"]
    assert not redis().keys("clianta:taken:*")
    assert not redis().exists(keys.FRUGAL_WORKERS)


def test_an_idle_worker_ends_at_once_on_sigterm(start: Start) -> None:
    worker = start()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(5) == 0


def test_a_job_of_a_killed_worker_runs_again_and_the_second_kill_quarantines_it(start: Start) -> None:
    worker = start()
    enqueue(new_job("kill_own_worker", "k1"))
    lapse(worker)
    lapse(start())
    start()
    wait_until(lambda: status_of("k1") == "failed")
    assert ledger() == ["killed", "killed"]
    assert dead_letters.get("k1").traceback == STALLED
    assert redis().hlen(keys.FRUGAL_WORKERS) == 1


def test_a_suspect_runs_alone(start: Start) -> None:
    worker = start()
    enqueue(new_job("kill_own_worker", "guilty"))
    lapse(worker)
    enqueue_many([new_job("note", f"i{n}", what="innocent") for n in range(20)])
    lapse(start())
    start()
    wait_until(lambda: ledger().count("innocent") == 20)
    wait_until(lambda: status_of("guilty") == "failed")
    assert dead_letters.count() == 1


def test_a_job_that_ignores_its_time_limit_comes_back_at_the_next_worker_s_start(start: Start) -> None:
    enqueue(new_job("block_in_c", "stuck", what="stuck"))
    redis().hset("rq:job:stuck", "timeout", 1)
    enqueue(new_job("wait_for_go", "innocent", what="innocent"))
    worker = start(STUCK_AFTER="1")
    assert worker.wait(20) == 70
    assert redis().lrange("rq:queue:analytics", 0, -1) == [b"innocent"]
    redis().rpush("test:go", "1")
    assert start(STUCK_AFTER="1").wait(20) == 70
    start()
    wait_until(lambda: status_of("stuck") == "failed" and "innocent ended" in ledger())
    assert ledger().count("stuck started") == 2


def test_an_unreadable_job_becomes_a_dead_letter_and_stops_no_other(start: Start) -> None:
    enqueue(new_job("note", "bad", what="bad"))
    redis().hset("rq:job:bad", "created_at", "no time")
    enqueue(new_job("note", "good", what="good"))
    start()
    wait_until(lambda: dead_letters.count("analytics") == 1 and ledger() == ["good"])


def test_a_bell_without_a_job_does_no_harm(start: Start) -> None:
    redis().rpush(keys.bell_key("analytics"), *"12345")
    enqueue_many([new_job("note", f"n{n}", what=str(n)) for n in range(3)])
    redis().delete("rq:job:n1")
    start()
    wait_until(lambda: not left())
    assert sorted(ledger()) == ["0", "2"]


def test_jobs_without_a_bell_are_found_at_a_worker_s_start(start: Start) -> None:
    for queue in BY_PRIORITY:
        enqueue(new_job("note", f"n-{queue}", queue=queue, what=queue))
        redis().delete(keys.bell_key(queue))
    start()
    wait_until(lambda: not left())
    assert sorted(ledger()) == sorted(BY_PRIORITY)
