"""rq-exporter, in an environment of its own as docs/rq-tools.md says: what Prometheus sees of our queues."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from queues.connection import redis
from queues.enqueue import enqueue, enqueue_in, enqueue_many
from queues.names import BY_PRIORITY
from sandbox.process import Server, free_port
from tests.queues.conftest import ROOT, StartWorker, new_job, status_of
from tests.waiting import wait_until

EXPORTER = ROOT / ".venv-exporter" / "bin" / "rq-exporter"
FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}


@pytest.fixture
def exporter(stores: None, tmp_path: Path) -> Iterator[Server]:
    if not EXPORTER.exists():
        pytest.skip("rq-exporter is not installed: `make test` does it")
    port, url = free_port(), os.environ["REDIS_URL"]
    command = [str(EXPORTER), "--host", "127.0.0.1", "--port", str(port), "--redis-url", url]
    server = Server(command, port, tmp_path / "exporter.log")
    server.start()
    yield server
    server.kill()


def scrape(exporter: Server) -> dict[str, float]:
    """The samples of RQ's metrics, by name and labels."""
    answer = requests.get(f"http://127.0.0.1:{exporter.port}/metrics", timeout=30)
    answer.raise_for_status()
    lines = re.findall(r"^(rq_\w+(?:\{.*\})?) (\S+)$", answer.text, re.MULTILINE)
    return {sample: float(value) for sample, value in lines}


def test_rq_exporter_counts_our_jobs_and_workers(start_worker: StartWorker, exporter: Server) -> None:
    start_worker(**FAST)
    enqueue_many([new_job("note", "done", what="x"), new_job("fail_for_good", "dead")])
    wait_until(lambda: status_of("done") == "finished" and status_of("dead") == "failed")
    enqueue(new_job("wait_for_go", "busy", what="busy"))
    enqueue_in(new_job("noop", "later", queue="ai-jobs", payload=""), timedelta(hours=1))
    wait_until(lambda: redis().exists("rq:execution:busy") or redis().zcard("rq:wip:analytics"))
    wait_until(lambda: any('state="busy"' in sample for sample in scrape(exporter)))

    samples = scrape(exporter)

    assert samples['rq_jobs{queue="analytics",status="finished"}'] == 1
    assert samples['rq_jobs{queue="analytics",status="failed"}'] == 1
    assert samples['rq_jobs{queue="analytics",status="started"}'] == 1
    assert samples['rq_jobs{queue="ai-jobs",status="scheduled"}'] == 1
    (worker,) = (sample for sample in samples if sample.startswith("rq_workers{"))
    assert all(queue in worker for queue in BY_PRIORITY)
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("busy") == "finished")  # looking at it has not disturbed it


def test_a_scrape_writes_nothing(exporter: Server) -> None:
    enqueue_many([new_job("noop", f"n{number}", payload="") for number in range(3)])
    redis().zadd("rq:failed:analytics", {"lapsed": 1})
    redis().zadd("rq:wip:analytics", {"stalled:execution": 1})
    before = {key: redis().dump(key) for key in redis().scan_iter()}

    assert scrape(exporter)['rq_jobs{queue="analytics",status="queued"}'] == 3

    assert {key: redis().dump(key) for key in redis().scan_iter()} == before
