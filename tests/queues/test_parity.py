"""Our worker leaves the keys that RQ's own worker leaves, field by field: so every tool understands them."""

from __future__ import annotations

import json
import re
import subprocess
import time
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from math import ceil, isinf
from typing import Any

import pytest
from rq import Queue, Retry, SimpleWorker
from rq.command import send_stop_job_command
from rq.serializers import JSONSerializer

from queues.connection import redis
from queues.enqueue import enqueue, enqueue_at
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.register import register_queues
from tests.queues.conftest import RQ, StartWorker, ledger, new_job, rq_environment, status_of
from tests.queues.sample_jobs import LEDGER
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
# Belongs to workers, not to jobs; or is ours beside RQ's.
LEFT_OUT = re.compile(r"rq:worker|rq:workers|rq:clean_|clianta:|test:")
TTL_SLACK = 10  # seconds between the two runs
SOON = 3  # seconds; a retry is due a second after its failure, more or less

Keys = dict[str, Any]
Run = Callable[[StartWorker, Callable[[], bool]], None]


class StockWorker(SimpleWorker):
    """RQ's own, in this process."""

    def _install_signal_handlers(self) -> None:
        """Leave pytest's own."""


def run_stock(_start: StartWorker, _is_over: Callable[[], bool]) -> None:
    worker = StockWorker(BY_PRIORITY, connection=redis(), job_class=Job, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL", with_scheduler=True)


def run_stock_program(start: StartWorker, is_over: Callable[[], bool]) -> None:
    stop(start(RQ, "worker", *BY_PRIORITY, **rq_environment()), is_over)


def run_ours(start: StartWorker, is_over: Callable[[], bool]) -> None:
    stop(start(**FAST), is_over)


def stop(process: subprocess.Popen[bytes], is_over: Callable[[], bool]) -> None:
    wait_until(is_over)
    process.terminate()
    process.wait(10)


def snapshot() -> Keys:
    """Every key of the jobs with its content, without what differs from run to run."""
    keys = sorted(key.decode() for key in redis().scan_iter("*") if not LEFT_OUT.search(key.decode()))
    return {key: (read(key), lifetime(key)) for key in keys}


def lifetime(key: str) -> int:
    ttl = redis().ttl(key)
    return ttl if ttl < 0 else -(-ttl // TTL_SLACK)


def read(key: str) -> Any:
    match redis().type(key).decode():
        case "hash":
            return {n.decode(): neutral(n.decode(), v) for n, v in redis().hgetall(key).items()}
        case "zset":
            return [(m.decode(), distance(score)) for m, score in redis().zrange(key, 0, -1, withscores=True)]
        case "set":
            return sorted(member.decode() for member in redis().smembers(key))
        case "list":
            return [member.decode() for member in redis().lrange(key, 0, -1)]
        case "stream":
            return [
                {n.decode(): neutral(n.decode(), v) for n, v in e.items()} for _, e in redis().xrange(key)
            ]
        case kind:
            raise AssertionError(f"{key} is a {kind}")


def distance(moment: float) -> float:
    """From now, as roughly as a lifetime; what is due within a few seconds is due now."""
    return moment if isinf(moment) else ceil((moment - time.time() - SOON) / TTL_SLACK)


def neutral(name: str, value: bytes) -> Any:
    if name == "data":
        return json.loads(zlib.decompress(value))
    if name == "exc_info":
        return zlib.decompress(value).decode().splitlines()[-1]
    if name == "exc_string":
        return zlib.decompress(b64decode(value)).decode().splitlines()[-1]
    if name in ("worker_name", "execution_id", "execution_started_at", "execution_ended_at", "stalls"):
        return bool(value)
    return TIME.sub("<time>", value.decode())


JOBS = {
    "success": (("note", {"what": "x"}), lambda: status_of("one") == "finished"),
    "success without a result": (("noop", {"payload": "x"}), lambda: status_of("one") == "finished"),
    "failure": (("fail_for_good", {}), lambda: status_of("one") == "failed"),
    "retry": (("fail", {}), lambda: status_of("one") == "scheduled"),
}

# RQ's worker kills the job's process; the parent, which records it, knows less of the end than we do.
NOT_KNOWN_TO_PARENT = ("ended_at", "last_heartbeat", "worker_name", "execution_ended_at", "exc_string")


def without(names: Iterable[str], kept: Keys) -> Keys:
    """The keys without those fields of their hashes and streams."""

    def cut(content: Any) -> Any:
        if isinstance(content, dict):
            return {name: value for name, value in content.items() if name not in names}
        return [cut(each) if isinstance(each, dict) else each for each in content]

    return {key: (cut(content), lasts) for key, (content, lasts) in kept.items()}


def left_by(run: Run, start: StartWorker, is_over: Callable[[], bool], put: Callable[[], object]) -> Keys:
    """What is left when that worker has run what `put` enqueues."""
    redis().flushall()
    register_queues(redis())
    put()
    run(start, is_over)
    redis().delete(LEDGER)
    return snapshot()


@pytest.mark.parametrize("name", JOBS)
def test_both_workers_leave_the_same_keys(name: str, start_worker: StartWorker) -> None:
    (func, kwargs), is_over = JOBS[name]
    stock, ours = (
        left_by(run, start_worker, is_over, lambda: enqueue(new_job(func, "one", **kwargs)))
        for run in (run_stock, run_ours)
    )
    assert ours == stock
    assert "rq:job:one" in ours


def test_a_delayed_job_waits_in_the_keys_of_rq_s_own(clean_redis: None) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    job = new_job("note", "one", what="x")
    enqueue_at(job, due)
    ours = snapshot()
    redis().flushall()
    queue = Queue(job.queue, connection=redis(), job_class=Job, serializer=JSONSerializer)
    queue.enqueue_at(
        due,
        job.func,
        job_id=job.id,
        kwargs=job.kwargs,
        description=job.func,
        job_timeout=600,
        result_ttl=24 * 3_600,
        failure_ttl=7 * 86_400,
        retry=Retry(3, [1, 5, 30]),
    )
    assert ours == snapshot()
    assert set(ours) == {"rq:job:one", "rq:queues", "rq:scheduled:analytics"}


def test_both_workers_leave_the_same_keys_of_a_delayed_job(start_worker: StartWorker) -> None:
    def put() -> None:
        enqueue_at(new_job("note", "one", what="x"), datetime.now(UTC) + timedelta(hours=1))
        redis().zadd("rq:scheduled:analytics", {"one": time.time() - 1})

    stock, ours = (
        left_by(run, start_worker, lambda: status_of("one") == "finished", put)
        for run in (run_stock, run_ours)
    )
    assert ours == stock
    assert "rq:finished:analytics" in ours


def test_both_workers_leave_the_same_keys_of_a_stopped_job(
    start_worker: StartWorker,
) -> None:
    def stop_one() -> bool:
        wait_until(lambda: ledger() == ["x started"])
        send_stop_job_command(redis(), "one", serializer="json")
        return bool(wait_until(lambda: status_of("one") == "stopped"))

    def put() -> None:
        enqueue(new_job("spin", "one", what="x"))

    stock = left_by(run_stock_program, start_worker, stop_one, put)
    ours = left_by(run_ours, start_worker, stop_one, put)
    assert without(NOT_KNOWN_TO_PARENT, ours) == without(NOT_KNOWN_TO_PARENT, stock)
    assert "rq:failed:analytics" in ours
