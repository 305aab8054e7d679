"""Our job class: RQ's, with JSON only, log lines, and errors that decide about their own retry.

A stock `rq worker --job-class queues.job.Job` and `rq requeue --job-class queues.job.Job` run it.
"""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
import zlib
from datetime import datetime
from typing import Any

import structlog
from redis import Redis
from rq.job import Job as RqJob
from rq.job import JobStatus, get_current_job
from rq.queue import Queue
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import import_attribute, now, utcformat

from queues import clock, keys, scripts, times
from queues.progress import Reporter

log = structlog.get_logger()

JITTER = (0.8, 1.2)  # so that jobs that failed together do not come back together
MOMENTS = (b"enqueued_at", b"started_at", b"ended_at", b"last_heartbeat")
LIMITS = (b"timeout", b"result_ttl", b"failure_ttl")
# What few jobs have is left to RQ to read.
UNUSUAL = (
    *(b"success_callback_name", b"failure_callback_name", b"stopped_callback_name", b"webhooks"),
    *(b"group_id", b"result", b"exc_info", b"dependency_id", b"dependency_ids", b"allow_dependency_failures"),
    *(b"ttl", b"number_of_retries", b"enqueue_at_front_on_retry", b"repeats_left", b"rate_limit_key"),
)
LONGEST_WAIT = 86_400.0  # seconds that an error may ask for
LOGGED_META = ("event_id", "correlation_id", "workspace_id")


class Job(RqJob):
    """Arguments are plain JSON.

    An exception with `permanent = True` is not retried; one with `retry_after` (seconds) not before that.
    """

    retry_after = 0.0
    reporter: Reporter | None = None

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None):  # noqa: ARG002
        super().__init__(id, connection)
        # Whatever the caller asks for: a pickle is never written or read. Set here, since RQ looks at a
        # serializer that it is given for longer than at all the rest.
        self.serializer = JSONSerializer

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        """As RQ does; the fields that nearly all jobs have are read in a tenth of the time."""
        if b"data" not in raw_data or any(map(raw_data.get, UNUSUAL)):
            super().restore(raw_data)
            return
        try:
            self._restore(raw_data.get)
        except ValueError:  # foreign meta, say
            super().restore(raw_data)

    def _restore(self, get: Any) -> None:
        self.data = _decompressed(get(b"data"))
        self.origin = get(b"origin", b"").decode()
        self.description = get(b"description", b"").decode() or None
        self.worker_name = get(b"worker_name", b"").decode() or None
        self._status = JobStatus(get(b"status", b"created").decode())
        self.meta = json.loads(get(b"meta") or b"{}")
        self.timeout, self.result_ttl, self.failure_ttl = map(_number, map(get, LIMITS))
        self.retries_left = _number(get(b"retries_left"))
        self.retry_intervals = json.loads(get(b"retry_intervals") or b"null")
        self.enqueue_at_front = None if (front := get(b"enqueue_at_front")) is None else front == b"1"
        self.created_at = _moment(get(b"created_at")) or self.created_at
        self.enqueued_at, self.started_at, self.ended_at, self.last_heartbeat = map(
            _moment, map(get, MOMENTS)
        )

    @property
    def func(self) -> Any:
        """The function; RQ looks it up twice a run."""
        return super().func if self.instance else _function(self.func_name or "")

    def perform(self) -> Any:
        meta = {name: self.meta[name] for name in LOGGED_META if name in self.meta}
        started = time.perf_counter()
        tokens = structlog.contextvars.bind_contextvars(job_id=self.id, queue=self.origin, **meta)
        try:
            log.info("▶️  job started", job=self.func_name)
            self.reporter = Reporter(self.connection, self.key)
            result = self._performed(started)
            log.info("✅ job done", job=self.func_name, ms=_ms_since(started))
            return result
        finally:
            structlog.contextvars.reset_contextvars(**tokens)

    def _performed(self, started: float) -> Any:
        try:
            return super().perform()
        except Exception as error:
            if getattr(error, "permanent", False):
                self.retries_left = 0
            self.retry_after = _seconds(getattr(error, "retry_after", None))
            self._exc_info = "".join(traceback.format_exception(error))  # kept with a retry
            log.error("❌ job failed", job=self.func_name, error=_name(error), ms=_ms_since(started))
            raise
        finally:
            if self.reporter:
                self.reporter.flush()

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell how far the job is; written at most once a second, the last value at its end."""
        if self.reporter:
            self.reporter.report(done, total, note)

    def save(self, pipeline: Any = None, *args: Any, **kwargs: Any) -> None:
        """As RQ does; and whoever puts the job on a queue, with whatever tool, wakes a worker."""
        super().save(pipeline, *args, **kwargs)
        if self._status == JobStatus.QUEUED:
            (self.connection if pipeline is None else pipeline).rpush(keys.DOORBELL, "1")

    def retry(self, queue: Queue, pipeline: Any) -> None:
        """As RQ does, but due to the millisecond: RQ drops the fraction of the second."""
        due = self.retry_due()
        super().retry(queue, pipeline)
        if due:
            pipeline.zadd(ScheduledJobRegistry.key_template.format(self.origin), {self.id: due})

    def retry_due(self) -> float:
        """The Unix time of the next try, by Redis' clock; 0 is at once."""
        wait = max(self.get_retry_interval() * random.uniform(*JITTER), min(self.retry_after, LONGEST_WAIT))
        return clock.now() + wait if wait else 0.0

    def _handle_success(self, result_ttl: int, pipeline: Any, *args: Any, **kwargs: Any) -> None:
        super()._handle_success(result_ttl, pipeline, *args, **kwargs)
        self._settle("finished", pipeline)

    def _handle_failure(self, exc_string: str, pipeline: Any, *args: Any, **kwargs: Any) -> None:
        # RQ leaves a dead letter without retries: requeued, by whatever tool, it would not be tried again.
        self.retries_left = len(self.retry_intervals or ())
        super()._handle_failure(exc_string, pipeline, *args, **kwargs)
        self._settle("failed", pipeline)

    def _settle(self, outcome: str, pipeline: Any) -> None:
        # In RQ's own transaction, so by its text: an unknown digest there would fail only this command.
        at = utcformat(self.ended_at or now())
        pipeline.eval(scripts.source("ended"), 0, self.id, outcome, at)


def _function(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(module), attribute, None) or import_attribute(name)


def _decompressed(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:  # a script has written it
        return data


def _number(written: bytes | None) -> int | None:
    return int(written) if written else None


def _moment(written: bytes | None) -> datetime | None:
    return times.parsed(written) if written else None


def _seconds(value: Any) -> float:
    """A vendor's Retry-After may be anything."""
    try:
        return max(0.0, float(value or 0))
    except (TypeError, ValueError):
        return 0.0


def is_last_try(error: BaseException) -> bool:
    """Whether the job that runs on this thread becomes a dead letter with this error."""
    job = get_current_job()
    return job is not None and (not job.retries_left or bool(getattr(error, "permanent", False)))


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1_000, 1)


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
