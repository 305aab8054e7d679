"""Our worker leaves the keys that RQ's own worker leaves, field by field: so every tool understands them."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from queues.connection import redis
from queues.enqueue import enqueue
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.register import register_queues
from tests.queues.conftest import StartWorker, new_job, status_of
from tests.queues.sample_jobs import LEDGER
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
# Belongs to workers, not to jobs; or is ours beside RQ's.
LEFT_OUT = re.compile(r"rq:worker|rq:workers|rq:clean_|clianta:|test:")
TTL_SLACK = 10  # seconds between the two runs


class StockWorker(SimpleWorker):
    """RQ's own, in this process."""

    def _install_signal_handlers(self) -> None:
        """Leave pytest's own."""


def run_stock(_start: StartWorker, _is_over: Callable[[], bool]) -> None:
    worker = StockWorker(BY_PRIORITY, connection=redis(), job_class=Job, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")


def run_ours(start: StartWorker, is_over: Callable[[], bool]) -> None:
    process = start(**FAST)
    wait_until(is_over)
    process.terminate()
    process.wait(10)


def snapshot() -> dict[str, Any]:
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
            return [member.decode() for member in redis().zrange(key, 0, -1)]
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


@pytest.mark.parametrize("name", JOBS)
def test_both_workers_leave_the_same_keys(name: str, start_worker: StartWorker) -> None:
    (func, kwargs), is_over = JOBS[name]
    left = []
    for run in (run_stock, run_ours):
        redis().flushall()
        register_queues(redis())
        enqueue(new_job(func, "one", **kwargs))
        run(start_worker, is_over)
        redis().delete(LEDGER)
        left.append(snapshot())
    stock, ours = left
    assert ours == stock
    assert "rq:job:one" in ours
