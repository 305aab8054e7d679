"""How far a running job is: `report(done, total, note)` from within its function.

Kept in a field of its own in the job's hash: RQ writes `meta` as a whole, so two writers there would undo
each other. At most one command a second; the last value is written at the end.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from redis import Redis, RedisError
from rq.job import get_current_job

from queues.connection import redis

log = structlog.get_logger()

EVERY = 1.0  # seconds between two writes
FIELD = "progress"


@dataclass(frozen=True)
class Progress:
    done: float
    total: float | None  # None: nobody knows
    note: str
    at: str  # ISO time of the report, UTC

    @property
    def percent(self) -> int | None:
        return min(100, int(100 * self.done / self.total)) if self.total else None


def report(done: float, total: float | None = None, note: str = "") -> None:
    """Tell how far the job is that runs on this thread. Outside of a job it does nothing.

    Nor does it fail a job: with Redis away the value is logged as not written, and the next one is tried.
    """
    job = get_current_job()
    reporter: Reporter | None = getattr(job, "reporter", None)
    if reporter:
        reporter.report(done, total, note)


def of_job(job_id: str) -> Progress | None:
    """The latest report of a job, or None. Raises `RedisError`."""
    stored: Any = redis().hget(f"rq:job:{job_id}", FIELD)
    return decoded(stored)


def decoded(stored: bytes | None) -> Progress | None:
    return Progress(**json.loads(stored)) if stored else None


class Reporter:
    """The reports of one run of a job. Used by the job's own thread only."""

    def __init__(self, connection: Redis, key: str):
        self._connection, self._key = connection, key
        self._written_at = float("-inf")  # monotonic
        self._is_known_to_exist = False
        self._pending: Progress | None = None

    def report(self, done: float, total: float | None, note: str) -> None:
        self._pending = Progress(done, total, note, datetime.now(UTC).isoformat(timespec="milliseconds"))
        if time.monotonic() - self._written_at >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        if not self._pending:
            return
        self._written_at = time.monotonic()
        try:
            self._write(self._pending)
        except RedisError as error:
            log.warning("⚠️  progress not written: Redis is away", error=str(error))
        else:
            self._pending = None

    def _write(self, progress: Progress) -> None:
        is_new = self._connection.hset(self._key, FIELD, json.dumps(asdict(progress)))
        # A field that is new may be all there is: the job was deleted while it ran.
        if is_new and (self._is_known_to_exist or not self._connection.hexists(self._key, "data")):
            self._connection.delete(self._key)
        self._is_known_to_exist = True
