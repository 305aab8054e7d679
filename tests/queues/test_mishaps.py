"""What once went wrong in the engine, and must not again."""

from __future__ import annotations

import threading
import time

import pytest
from redis import Redis, RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

import config
from queues import claim, clock, finish, hand_back, heartbeat, heartbeats, retention, timeouts
from queues.connection import connect, redis
from queues.enqueue import enqueue, enqueue_many
from queues.job import Job
from queues.scripts import run
from queues.slots import Slots
from queues.worker import Worker
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}


@pytest.fixture
def following_redis(clean_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_offset", None)
    clock.follow(redis())


def test_an_idle_worker_s_wait_never_takes_a_job_away(start_worker: StartWorker) -> None:
    """A wait that popped jobs lost them when its process died in between."""
    for _ in range(3):
        start_worker(**FAST)
    redis().config_resetstat()
    for number in range(30):
        enqueue(new_job("noop", f"n{number}", payload=""))
        wait_until(lambda number=number: status_of(f"n{number}") == "finished")
    assert "cmdstat_lpush" not in redis().info("commandstats")


def test_jobs_that_end_as_their_time_is_up_never_hang_the_watchdog() -> None:
    timeouts.WATCHDOG.start()
    ended: list[str] = []

    def work() -> None:
        for _ in range(15):
            try:
                with timeouts.ThreadDeathPenalty(0.2, JobTimeoutException, job_id="x"):
                    deadline = time.monotonic() + 0.3
                    while time.monotonic() < deadline:
                        sum(range(100))
                    ended.append("in time")
            except JobTimeoutException:
                ended.append("too late")
            timeouts.WATCHDOG.forget_thread()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 60
    assert not timeouts.WATCHDOG._watched


def test_claims_whose_answer_was_lost_are_handed_back_without_a_stall(following_redis: None) -> None:
    slots, ids = Slots(3), claim.ExecutionIds()
    enqueue_many([new_job("noop", f"n{n}", payload="") for n in range(4)])
    claim.claim(redis(), "another", 1, clock.moment())
    known = claim.claim(redis(), "w", 1, clock.moment(), ids).claimed[0]
    slots.take(known)
    run(redis(), claim.call("w", ids.take(2), clock.moment()))  # nobody reads the answer
    assert redis().llen("rq:queue:analytics") == 0
    assert hand_back.hand_back_unknown(redis(), "w", ids.prefix, slots.knows) == 2
    assert sorted(redis().lrange("rq:queue:analytics", 0, -1)) == [b"n2", b"n3"]
    assert redis().hget("rq:job:n2", "stalls") is None
    assert redis().zcard("rq:wip:analytics") == 2


def test_a_claim_under_way_is_not_taken_for_a_lost_one(clean_redis: None) -> None:
    slots = Slots(1)
    with slots.expecting(["e1"]):
        assert slots.knows("e1")
    assert not slots.knows("e1")


def test_a_worker_whose_clock_is_ahead_takes_no_running_job(following_redis: None) -> None:
    enqueue(new_job("noop", "n1", payload=""))
    claim.claim(redis(), "w", 1, clock.moment())
    assert abs(clock.now() - time.time()) < 1
    seconds, _ = redis().time()
    assert abs(clock.now() - seconds) < 1.5


def test_a_retry_after_that_is_no_number_does_not_cost_the_worker_a_slot(start_worker: StartWorker) -> None:
    start_worker(**FAST, QUEUE_CONCURRENCY="1")
    enqueue(new_job("fail_with_odd_retry_after", "odd"))
    enqueue(new_job("note", "next", what="next"))
    wait_until(lambda: "next" in ledger())
    assert status_of("odd") == "scheduled"


def test_a_hash_that_is_no_job_harms_nobody(start_worker: StartWorker) -> None:
    enqueue(new_job("note", "good", what="good"))
    redis().hset("rq:job:poison", "status", "queued")
    redis().rpush("rq:queue:analytics", "poison")
    enqueue(new_job("note", "after", what="after"))
    worker = start_worker(**FAST, QUEUE_CONCURRENCY="1")
    wait_until(lambda: ledger() == ["good", "after"])
    assert worker.poll() is None
    wait_until(lambda: redis().zcard("rq:wip:analytics") == 0)


@pytest.mark.parametrize(("ttl", "left"), [(None, range(1, 501)), (-1, (-1,)), (0, (-2,))])
def test_results_are_kept_as_long_as_stock_rq_keeps_them(
    ttl: int | None, left: range | tuple[int], start_worker: StartWorker
) -> None:
    start_worker(**FAST)
    queue = Queue("analytics", connection=redis(), job_class=Job, serializer=JSONSerializer)
    queue.enqueue_call("tests.queues.sample_jobs.note", ("x",), job_id="stock", result_ttl=ttl)
    wait_until(lambda: ledger() == ["x"])
    wait_until(lambda: redis().zcard("rq:wip:analytics") == 0)
    assert redis().ttl("rq:job:stock") in left
    assert redis().ttl("rq:results:stock") in left


def test_retention_spares_a_job_whose_id_is_in_use_again(clean_redis: None) -> None:
    redis().zadd("rq:finished:analytics", {"again": time.time() - 10})
    enqueue(new_job("noop", "again", payload=""))
    retention.trim(redis())
    assert redis().exists("rq:job:again")
    assert redis().zcard("rq:finished:analytics") == 0


def test_a_failure_after_the_lock_was_lost_changes_nothing(following_redis: None) -> None:
    enqueue(new_job("noop", "lost", payload=""))
    lost = claim.claim(redis(), "w", 1, clock.moment()).claimed[0]
    redis().zrem("rq:wip:analytics", f"{lost.job.id}:{lost.execution.id}")
    assert run(redis(), heartbeat.call("w", [lost]))[0] == [0]
    for end in (
        finish.succeeded(lost, None, clock.moment()),
        finish.failed(lost, "failed", "", clock.moment()),
    ):
        assert run(redis(), end)[0] == finish.NOT_OURS
    assert status_of("lost") == "started"


def test_a_worker_registers_again_over_the_rest_of_its_key(clean_redis: None) -> None:
    worker = Worker(connect(config.settings().redis_location, retries=0), concurrency=1, grace=1)
    worker._register_anew()
    redis().delete(worker.key)
    redis().hset(worker.key, "failed_job_count", 1)  # as a job leaves it that ends after a loss of all keys
    worker.heartbeat()
    assert heartbeats.workers() == [worker.name]
    assert 0 < redis().ttl(worker.key) <= 150


def test_a_worker_whose_registration_broke_off_registers_at_its_next_sign_of_life(
    clean_redis: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(connect(config.settings().redis_location, retries=0), concurrency=1, grace=1)
    with monkeypatch.context() as broken:
        broken.setattr(worker, "register_birth", lambda: redis().execute_command("NONSENSE"))
        with pytest.raises(RedisError):
            worker.heartbeat()
    worker.heartbeat()
    worker.heartbeat()
    assert heartbeats.workers() == [worker.name]


def test_a_job_enqueued_by_stock_rq_with_our_class_rings(clean_redis: None) -> None:
    queue = Queue("analytics", connection=redis(), job_class=Job, serializer=JSONSerializer)
    queue.enqueue_call("tests.queues.sample_jobs.note", ("x",), job_id="stock")
    assert redis().llen("clianta:doorbell") >= 1


def test_the_bell_is_a_list_that_claims_empty(clean_redis: None) -> None:
    connection: Redis = redis()
    enqueue_many([new_job("noop", f"n{n}", payload="") for n in range(5)])
    claim.claim(connection, "w", 5, clock.moment())
    assert connection.llen("clianta:doorbell") == 0
