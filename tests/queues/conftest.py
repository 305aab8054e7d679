"""Real worker processes for the engine's tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import config
from queues import heartbeats
from queues.connection import redis
from queues.enqueue import NewJob
from queues.job import Job
from tests.queues.sample_jobs import LEDGER
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

RQ = str(Path(sys.executable).with_name("rq"))
StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start_worker(stores: None, tmp_path: Path) -> Iterator[StartWorker]:
    """Start `python worker.py`, or that command, and wait until it is registered; all end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        before = len(heartbeats.workers())
        with (tmp_path / f"worker-{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                command or [sys.executable, "worker.py"],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "SHUTDOWN_GRACE": "3", **environment},
            )
        started.append(process)
        wait_until(lambda: len(heartbeats.workers()) > before, timeout=30, what="the worker's registration")
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def rq_environment() -> dict[str, str]:
    """What RQ's own tools need: as `flask env` says."""
    return {
        "RQ_REDIS_URL": os.environ["REDIS_URL"],
        "RQ_JOB_CLASS": "queues.job.Job",
        "RQ_QUEUE_CLASS": "queues.queue.Queue",
    }


def new_job(func: str, job_id: str, queue: str = "analytics", **kwargs: object) -> NewJob:
    return NewJob(queue=queue, func=f"tests.queues.sample_jobs.{func}", id=job_id, kwargs=kwargs)


def ledger() -> list[str]:
    """What the jobs did, in order."""
    return [entry.decode() for entry in redis().lrange(LEDGER, 0, -1)]


def status_of(job_id: str) -> str:
    return str(Job.fetch(job_id, connection=redis()).get_status().value)


@pytest.fixture
def no_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No queue has a rate of its own, and the setting allows any."""
    monkeypatch.setenv("QUEUE_MAX_JOBS_PER_SECOND", "0")
    config.settings.cache_clear()
    yield
    config.settings.cache_clear()
