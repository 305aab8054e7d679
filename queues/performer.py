"""What a worker does on a job's thread: run it, tell how it ended, and go on with the next.

    _run_until_nothing_is_left
      ├─ _run ─▶ RQ's perform_job ─▶ Job.perform: the function, within its time limit
      │            ├─ returned ─▶ _finalize_success ─▶ finish.succeeded
      │            └─ raised ───▶ _finalize_failure: is it still ours? ─▶ RQ tells the exception handlers
      │                             ─▶ handle_job_failure ─▶ finish.to_be_retried, or finish.failed
      └─ exchange.next: the end goes out, the thread's next job comes in

So ends a *plain* job (`finish.is_plain`): by one script call. One with callbacks, say, takes RQ's own way,
which is what the calls of `super()` are.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

import structlog
from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError
from rq.command import parse_payload
from rq.exceptions import AbandonedJobError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.job import Retry
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker.base import BaseWorker

from queues import claim, finish, heartbeat, tally, timeouts
from queues.claim import Claimed
from queues.doorbell import Doorbell
from queues.exchange import Exchange, Wire
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.scripts import Call
from queues.slots import Slots

log = structlog.get_logger()

MAXRSS_PER_MB = 1_048_576 if sys.platform == "darwin" else 1_024  # the system's unit is bytes there, else KiB
WORKER_TTL = 90  # seconds after which a silent worker counts as dead


class Performer(BaseWorker):
    """The half of a worker that its jobs' threads run. The other half is worker.py."""

    job_class = Job
    death_penalty_class = timeouts.ThreadDeathPenalty
    log_result_lifespan = False
    ttl = WORKER_TTL

    def __init__(self, connection: Redis, *, concurrency: int, name: str | None = None):
        super().__init__(
            BY_PRIORITY,
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=self.ttl,
            log_job_description=False,
        )
        self.limits = (0, 0)  # jobs, and megabytes, after which this process ends; 0 = never
        self.jobs_begin: Callable[[], None] = lambda: None  # told on a thread that is about to run jobs
        self._by_name = {queue.name: queue for queue in self.queues}
        self._slots = Slots(concurrency)
        self._doorbell, self._exchange = self._lines()
        self._tally, self._is_suspended = tally.Tally(), False
        self._mine = threading.local()  # .claimed: the thread's job
        self._stopped: set[str] = set()  # ids of jobs that somebody asked to stop
        self._failing = threading.Lock()

    def _lines(self) -> tuple[Doorbell, Wire]:
        """To what the worker listens, and over what it speaks with Redis about jobs."""
        return Doorbell(self.connection), Exchange(self.connection, self.name, self._slots)

    # A job's way on its thread. What overrides RQ's own is called by `perform_job`.

    def _run_until_nothing_is_left(self, claimed: Claimed | None) -> None:
        self.jobs_begin()
        while claimed:
            following = None
            try:
                self._run(claimed)
                if self._is_worn_out():
                    self._stop()
                following = self._exchange.next(claimed)
            finally:  # or the slot would be lost, and the job's lock renewed for ever
                self._slots.end(claimed, frees_slot=following is None)
            claimed = following
        with suppress(RedisError):  # statistics only
            self._tally.write(self.connection, self.key, self._state_now)

    def _run(self, claimed: Claimed) -> None:
        self._mine.claimed = claimed
        started = time.monotonic()
        try:
            self.perform_job(claimed.job, self._by_name[claimed.job.origin], claimed.execution)
        except Exception:
            log.exception("❌ job could not be finished", job_id=claimed.job.id)
        finally:
            timeouts.WATCHDOG.forget_thread()
            self._exchange.pace.note(time.monotonic() - started)

    def prepare_job_execution(self, job: RqJob, remove_from_intermediate_queue: bool = False) -> None:
        """Nothing is left to prepare: the claim has marked the job as started."""

    def _finalize_success(self, job: RqJob, queue: Queue, execution: Execution, return_value: Any) -> None:
        """Record the result; what is not plain takes RQ's own way."""
        if self._is_plain(job) and not isinstance(return_value, Retry):
            job.ended_at = datetime.now(UTC)
            self._count(job, tally.SUCCESSES)
            self._exchange.end(finish.succeeded(self._mine.claimed, return_value, job.ended_at))
        else:
            super()._finalize_success(job, queue, execution, return_value)

    def _finalize_failure(self, job: RqJob, queue: Queue, execution: Execution, exc_info: Any) -> None:
        """As RQ does, if the job is still ours: renewing its lock tells, and keeps it so meanwhile."""
        if not self._is_still_ours(self._mine.claimed):
            log.warning("⚠️  failed job was taken by another worker meanwhile", job_id=job.id)
            return
        super()._finalize_failure(job, queue, execution, exc_info)

    def _is_still_ours(self, claimed: Claimed) -> bool:
        return bool(self._exchange.ask(heartbeat.call(self.name, [claimed]))[0])

    def handle_execution_ended(self, job: RqJob, queue: Queue, heartbeat_ttl: int) -> None:
        """As RQ does, without another sign of life: the lock was renewed just now, or the run is over."""
        if self._is_plain(job):
            job.ended_at = datetime.now(UTC)
        else:
            super().handle_execution_ended(job, queue, heartbeat_ttl)

    def handle_job_failure(self, job: RqJob, *args: Any, **kwargs: Any) -> None:
        """Park the job for its next try, or lay it with the dead letters."""
        if self._is_plain(job):
            self._count(job, tally.FAILURES)
            self._exchange.end(self._failure(job, kwargs["exc_string"]))
            return
        with self._failing:  # RQ has one place for the id of a stopped job
            self._stopped_job_id = job.id if self._was_stopped(job) else None
            super().handle_job_failure(job, *args, **kwargs)
        self._ring()  # it may be due again in a second

    def _ring(self) -> None:
        """Somebody has to look: who waits first, or this worker while Redis is full and takes no ring."""
        try:
            self._doorbell.ring()
        except OutOfMemoryError:
            log.warning("⚠️  Redis is full: its bell cannot be rung, so only this worker looks now")
            self._doorbell.end_wait()

    def _failure(self, job: Job, error: str) -> Call:
        claimed, ended_at = self._mine.claimed, job.ended_at or datetime.now(UTC)
        if self._was_stopped(job):
            return finish.failed(claimed, "stopped", error, ended_at)
        if not job.should_retry:
            return finish.failed(claimed, "failed", error, ended_at)
        due = job.retry_due()
        job.retries_left = (job.retries_left or 0) - 1
        return finish.to_be_retried(claimed, due, ended_at)

    @staticmethod
    def _is_plain(job: RqJob) -> TypeGuard[Job]:
        return isinstance(job, Job) and finish.is_plain(job)

    # Stopping one job, or all.

    def handle_payload(self, message: Any) -> None:
        """Commands of `rq` and rq-dashboard, on the thread that listens for them."""
        command = parse_payload(message)
        if command["command"] not in ("stop-job", "stop-execution"):
            super().handle_payload(message)
            return
        job_id = command["job_id"]
        self._stopped.add(job_id)
        if timeouts.WATCHDOG.stop(job_id):
            log.warning("✋ job stopped on request", job_id=job_id)
        else:
            self._stopped.discard(job_id)

    def _was_stopped(self, job: RqJob) -> bool:
        """Whether somebody asked to stop it; asked once."""
        was_stopped = job.id in self._stopped
        self._stopped.discard(job.id)
        return was_stopped

    def _stop(self) -> None:
        """Take no new job. The waits are ended from a thread: a signal handler must not wait for locks."""
        if not self._exchange.is_closed.is_set():
            self._exchange.is_closed.set()
            threading.Thread(target=self._end_waits, daemon=True).start()

    def _end_waits(self) -> None:
        self._slots.interrupt()
        self._doorbell.interrupt()

    def _is_worn_out(self) -> bool:
        """Whether this process has run or grown enough; its supervisor starts a fresh one."""
        most_jobs, most_mb = self.limits
        grown = most_mb and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > most_mb * MAXRSS_PER_MB
        return bool(grown or (most_jobs and self._slots.ended >= most_jobs))

    # What others see.

    def is_idle(self) -> bool:
        return self._slots.are_all_free

    def _state_now(self) -> str:
        """As RQ's tools show it. That the workers are suspended is known from the latest sign of life."""
        if not self._slots.are_all_free:
            return str(WorkerStatus.BUSY.value)
        return str((WorkerStatus.SUSPENDED if self._is_suspended else WorkerStatus.IDLE).value)

    def _report_quarantined(self, job_ids: Sequence[str]) -> None:
        """To the log and, through RQ's exception handlers, to whoever watches failures."""
        for job_id in job_ids:
            log.error("☠️  job quarantined: its worker died twice", job_id=job_id)
            with suppress(NoSuchJobError, ValueError):  # ValueError: an id that RQ refuses
                job = Job.fetch(job_id, connection=self.connection)
                self._tell_handlers(job)

    def _tell_handlers(self, job: RqJob) -> None:
        try:
            self.handle_exception(job, AbandonedJobError, AbandonedJobError(claim.STALLED), None)
        except Exception:  # a store is away, say: that must end neither a worker nor a thread of it
            log.exception("❌ the quarantine could not be recorded", job_id=job.id)

    def _count(self, job: Job, outcome: str) -> None:
        if job.started_at and job.ended_at:
            self._tally.add(outcome)
            self._tally.add(tally.SECONDS, (job.ended_at - job.started_at).total_seconds())

    # RQ's own way of ending jobs counts by these, each a command of its own.

    def increment_successful_job_count(self, pipeline: Any = None) -> None:  # noqa: ARG002
        self._tally.add(tally.SUCCESSES)

    def increment_failed_job_count(self, pipeline: Any = None) -> None:  # noqa: ARG002
        self._tally.add(tally.FAILURES)

    def increment_total_working_time(self, job_execution_time: timedelta, pipeline: Any) -> None:  # noqa: ARG002
        self._tally.add(tally.SECONDS, job_execution_time.total_seconds())
