"""Claim jobs for free slots: what the worker asks of Redis before it runs or waits. One script call."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog
from redis import Redis
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, Execution
from rq.utils import utcformat

import config
from queues import keys
from queues.job import Job
from queues.names import BY_PRIORITY, QUEUES
from queues.scripts import Call, run

log = structlog.get_logger()

LOCK = 60  # seconds without a heartbeat after which a running job counts as stalled
STALLED = "stalled: its worker died twice while it ran. It is not tried again until you requeue it."
_STALLED_RESULT = b64encode(zlib.compress(STALLED.encode())).decode()  # as RQ stores a result's text


@dataclass(frozen=True)
class Claimed:
    """A job that is ours to run, already marked as started."""

    job: Job
    execution: Execution


@dataclass(frozen=True)
class Claim:
    claimed: list[Claimed]
    due_at: float | None  # Unix time of the next retry, stall or allowed start; None: nothing is known
    limited: list[str]  # queues to leave alone until then: limited, paused or suspended
    quarantined: list[str]  # ids of jobs that stalled a second time and are dead letters now


def claim(connection: Redis, worker_name: str, slots: int, now: datetime) -> Claim:
    """Take up to `slots` jobs in order of priority; with none free it only brings back what is due."""
    executions = new_executions(slots)
    return answer(connection, worker_name, run(connection, call(worker_name, executions, now))[0])


def new_executions(slots: int) -> list[str]:
    """Fresh ids, one per free slot: whoever knows them beforehand can tell claims whose answer was lost."""
    return [uuid4().hex for _ in range(slots)]


def call(worker_name: str, executions: Sequence[str], now: datetime) -> Call:
    """The script call for as many jobs as there are executions, to be sent alone or along with another."""
    return Call(
        "claim",
        keys=[
            keys.DOORBELL,
            WORKER_EXECUTIONS_KEY_TEMPLATE.format(worker_name),
            keys.SUSPENDED,
            keys.PAUSED,
            *(key for name in BY_PRIORITY for key in keys.of_queue(name)),
        ],
        args=[
            now.timestamp(),
            utcformat(now),
            worker_name,
            LOCK,
            _STALLED_RESULT,
            *(limit for name in BY_PRIORITY for limit in _limits(name)),
            *executions,
        ],
    )


def _limits(name: str) -> tuple[str, float, int]:
    per_second = QUEUES[name].max_per_second
    if per_second is None:
        per_second = config.settings().queue_max_jobs_per_second
    return name, per_second, QUEUES[name].max_running


def answer(connection: Redis, worker_name: str, reply: list[Any]) -> Claim:
    """What the script's reply means."""
    due_at, limited, quarantined, *jobs = reply
    return Claim(
        claimed=[found for job in jobs if (found := _claimed(connection, worker_name, *job))],
        due_at=float(due_at) if due_at else None,
        limited=[BY_PRIORITY[int(index) - 1] for index in limited],
        quarantined=[job_id.decode() for job_id in quarantined],
    )


def _claimed(
    connection: Redis, worker_name: str, _queue: int, job_id: bytes, execution_id: bytes, fields: list[Any]
) -> Claimed | None:
    job = Job(job_id.decode(), connection=connection)
    try:
        job.restore(dict(zip(fields[::2], fields[1::2], strict=True)))
    except Exception:
        log.exception(
            "❌ job cannot be read; it is quarantined when its lock has lapsed twice", job_id=job.id
        )
        return None
    execution = Execution(execution_id.decode(), job.id, connection, worker_name)
    execution._job = job
    job.started_at = job.last_heartbeat = datetime.now(UTC)
    job.worker_name = worker_name
    return Claimed(job, execution)
