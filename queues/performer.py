"""What a worker does on a job's thread: run it, finish it, and go on with the next.

RQ's `perform_job` runs the function; what comes after it is ours where one script call is enough.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from redis import Redis, RedisError
from rq.command import parse_payload
from rq.exceptions import AbandonedJobError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker.base import BaseWorker

from queues import claim, clock, finish, heartbeat, timeouts
from queues.doorbell import Doorbell
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.scripts import Call, run
from queues.slots import Slots

log = structlog.get_logger()

RECONNECT = 1.0  # seconds between two tries to reach an absent Redis
SOON = 0.05  # seconds; the main thread need not be woken for less
WORKER_TTL = 90  # seconds after which a silent worker counts as dead


class Performer(BaseWorker):
    """The half of a worker that its jobs' threads run. The other half is worker.py."""

    job_class = Job
    death_penalty_class = timeouts.ThreadDeathPenalty
    log_result_lifespan = False

    def __init__(self, connection: Redis, *, concurrency: int, name: str | None = None):
        super().__init__(
            BY_PRIORITY,
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            log_job_description=False,
        )
        self.limits = (0, 0)  # jobs, and megabytes, after which this process ends; 0 = never
        self._slots = Slots(concurrency)
        self._doorbell = Doorbell(connection)
        self._stopping = threading.Event()
        self._next = threading.local()  # .claimed: what the finish of a thread's job brought along
        self._stopped: set[str] = set()  # ids of jobs that somebody asked to stop
        self._failing = threading.Lock()
        self._may_have_unknown = False  # whether a claim's answer was lost
        self._wakes_at = 0.0  # Redis' time at which the main thread looks again

    def _claim(self, slots: int, *before: Call) -> tuple[list[Any], claim.Claim]:
        """Claim for that many slots, in one round trip with the calls before it; returns their replies, too.

        When the answer is lost, Redis may have claimed jobs that we know nothing of: they are handed back.
        """
        executions = claim.new_executions(slots)
        with self._slots.expecting(executions):
            try:
                *replies, reply = run(
                    self.connection, *before, claim.call(self.name, executions, clock.moment())
                )
            except RedisError:
                self._may_have_unknown = True
                raise
            result = claim.answer(self.connection, self.name, reply)
            for claimed in result.claimed:
                self._slots.take(claimed)
        return replies, result

    def _is_worn_out(self) -> bool:
        """Whether this process has run or grown enough; its supervisor starts a fresh one."""
        most_jobs, most_mb = self.limits
        grown = most_mb and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > most_mb * 1_024  # in KiB
        return bool(grown or (most_jobs and self._slots.ended >= most_jobs))

    def _report_quarantined(self, job_ids: Sequence[str]) -> None:
        """To the log and, through RQ's exception handlers, to whoever watches failures."""
        for job_id in job_ids:
            log.error("☠️  job quarantined: its worker died twice", job_id=job_id)
            with suppress(NoSuchJobError):
                job = Job.fetch(job_id, connection=self.connection)
                self.handle_exception(job, AbandonedJobError, AbandonedJobError(claim.STALLED), None)

    def _run_until_nothing_is_left(self, claimed: claim.Claimed | None) -> None:
        while claimed:
            self._next.claimed = None
            try:
                self._run(claimed)
            finally:
                self._slots.end(claimed)
            claimed = self._next.claimed

    def _run(self, claimed: claim.Claimed) -> None:
        job = claimed.job
        queue = Queue(job.origin, connection=self.connection, job_class=Job, serializer=JSONSerializer)
        try:
            self.perform_job(job, queue, claimed.execution)
        except Exception:
            log.exception("❌ job could not be finished", job_id=job.id)
        finally:
            timeouts.WATCHDOG.forget_thread()

    def prepare_job_execution(self, job: RqJob, remove_from_intermediate_queue: bool = False) -> None:
        """Nothing is left to prepare: the claim has marked the job as started."""

    def _finalize_success(self, job: RqJob, queue: Queue, execution: Execution, return_value: Any) -> None:
        """Finish and claim the next in one round trip; what is not plain takes RQ's own way."""
        job._result = return_value
        if finish.is_plain(job, return_value):
            self._finish(job, execution)
        else:
            super()._finalize_success(job, queue, execution, return_value)

    def _finish(self, job: RqJob, execution: Execution) -> None:
        ended_at = datetime.now(UTC)
        call = finish.call(self.key, job, execution, job.started_at or ended_at, ended_at)
        if self._stopping.is_set() or self._is_worn_out():
            outcome = self._with_patience(call)
        else:
            try:
                (outcome,), result = self._claim(1, call)
                self._go_on_with(result)
            except RedisError:
                outcome = self._with_patience(call)  # safe: a job is finished once
        if outcome == finish.NOT_OURS:
            log.warning("⚠️  job was finished before, or taken by another worker", job_id=job.id)

    def _go_on_with(self, result: claim.Claim) -> None:
        """What came along with a finish: the thread's next job, and news for the main thread."""
        self._next.claimed = result.claimed[0] if result.claimed else None
        self._report_quarantined(result.quarantined)
        if result.due_at and result.due_at < self._wakes_at - SOON:
            self._doorbell.ring()  # something is due before the main thread would look

    def _with_patience(self, call: Call) -> Any:
        """The reply; with Redis away it tries again until the job's lock has lapsed anyway."""
        deadline = time.monotonic() + claim.LOCK
        while True:
            try:
                return run(self.connection, call)[0]
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RECONNECT)  # a job's thread; a stop waits for it, up to its grace

    def _finalize_failure(self, job: RqJob, queue: Queue, execution: Execution, exc_info: Any) -> None:
        """As RQ does, if the job is still ours: renewing its lock tells, and keeps it so meanwhile."""
        still_ours = self._with_patience(heartbeat.call([(job, execution)]))
        if not still_ours[0]:
            log.warning("⚠️  failed job was taken by another worker meanwhile", job_id=job.id)
            return
        super()._finalize_failure(job, queue, execution, exc_info)

    def handle_job_failure(self, job: RqJob, *args: Any, **kwargs: Any) -> None:
        """As RQ does; then wake a worker, since the job may be due again in a second."""
        with self._failing:  # RQ has one place for the id of a stopped job
            self._stopped_job_id = job.id if job.id in self._stopped else None
            self._stopped.discard(job.id)
            super().handle_job_failure(job, *args, **kwargs)
        self._doorbell.ring()

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
