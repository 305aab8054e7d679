"""Claim jobs for free slots: what the worker asks of Redis before it runs or waits. One script call."""

from __future__ import annotations

import itertools
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import structlog
from redis import Redis
from rq.executions import Execution
from rq.job import JobStatus

from queues import rates, times
from queues.job import Job
from queues.names import BY_PRIORITY, QUEUES
from queues.scripts import Call, run

log = structlog.get_logger()

LOCK = 60  # seconds without a heartbeat after which a running job counts as stalled
STALLED = "stalled: its worker died twice while it ran. It is not tried again until you requeue it."
STALLED_RESULT = b64encode(zlib.compress(STALLED.encode())).decode()  # as RQ stores a result's text

Rest = Literal["", "rest", "draining", "suspect"]  # what claim.lua is told of a worker's state


class ExecutionIds:
    """Fresh ids for a worker's executions: each begins with what tells whose it is.

    Who knows them before a claim can tell, afterwards, claims whose answer was lost.
    """

    def __init__(self) -> None:
        self.prefix = uuid4().hex[:20]
        self._numbers = itertools.count(16**11)

    def take(self, number: int) -> list[str]:
        return [f"{self.prefix}{next(self._numbers):x}" for _ in range(number)]


@dataclass(eq=False, slots=True)
class Claimed:
    """A job that is ours to run, already marked as started."""

    job: Job
    execution: Execution
    is_shown: bool = False  # whether a heartbeat has written the record of its execution
    is_over: bool = False  # whether its end is on the way: from then on nothing is shown
    is_suspect: bool = False  # whether its worker died with it before: nothing runs beside it
    is_kept: bool = True  # whether its success is put on record; the frugal profile drops what is plain

    @property
    def seconds(self) -> float:
        """Since it was claimed."""
        return (datetime.now(UTC) - self.execution.created_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim has brought."""

    claimed: list[Claimed]
    due_at: float | None  # Unix time of the next retry, stall or allowed start; None: nothing is known
    quarantined: list[str]  # ids of jobs that stalled a second time and are dead letters now
    is_suspect_waiting: bool  # for a worker that runs nothing


def claim(
    connection: Redis, worker_name: str, slots: int, now: datetime, ids: ExecutionIds | None = None
) -> Claim:
    """Take up to `slots` jobs in order of priority; with none free it only brings back what is due."""
    executions = (ids or ExecutionIds()).take(slots)
    return answer(connection, worker_name, run(connection, call(worker_name, executions, now))[0])


def call(
    worker_name: str,
    executions: Sequence[str],
    now: datetime,
    *,
    is_look: bool = True,
    rest: Rest = "rest",
) -> Call:
    """The script call for as many jobs as there are executions, to be sent alone or along with another.

    A look also brings back what is due or stalled, and tells when the next thing is due. `rest`: whether
    a suspect may be taken, since nothing runs here, or even goes first.
    """
    return Call(
        "claim",
        keys=(),
        args=(
            now.timestamp(),
            times.text(now),
            worker_name,
            LOCK,
            _queues(),
            STALLED_RESULT if is_look else "",
            rest,
            *executions,
        ),
    )


def _queues() -> str:
    """Each queue with its limits, as the script takes them."""
    return "".join([f"{name} {rates.per_second(name)} {QUEUES[name].max_running};" for name in BY_PRIORITY])


def answer(connection: Redis, worker_name: str, reply: list[Any]) -> Claim:
    """What the script's reply means."""
    due_at, quarantined, suspect_waits, *jobs = reply
    return Claim(
        claimed=[found for job in jobs if (found := _claimed(connection, worker_name, *job))],
        due_at=float(due_at) if due_at else None,
        quarantined=[job_id.decode() for job_id in quarantined],
        is_suspect_waiting=bool(suspect_waits),
    )


def _claimed(
    connection: Redis, worker_name: str, execution_id: bytes, job_id: bytes, fields: list[Any]
) -> Claimed | None:
    stored = dict(zip(fields[::2], fields[1::2], strict=True))
    try:
        job = Job(job_id.decode(), connection=connection)
        job.restore(stored)
        if job.origin not in QUEUES:
            raise ValueError(f"its queue {job.origin!r} is unknown")
    except Exception:
        log.exception(
            "❌ job cannot be read; it is quarantined when its lock has lapsed twice", job_id=job_id
        )
        return None
    execution = Execution(execution_id.decode(), job.id, connection, worker_name)
    execution._job = job
    job.started_at = job.last_heartbeat = datetime.now(UTC)
    job.worker_name = worker_name
    job._status = JobStatus.STARTED  # or a job that saves itself would seem to wait
    return Claimed(job, execution, is_suspect=b"stalls" in stored)
