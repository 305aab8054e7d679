"""The worker process: claims jobs, runs them on threads, waits on a doorbell. It never polls.

    claim ──▶ run, on a thread ──▶ finish, and claim the next in the same round trip ──▶ run …
      └─ nothing to claim: wait on the doorbell until the next thing is due ──▶ claim …

An RQ worker in all that others see: registered like one, its state in RQ's keys, its commands obeyed.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import structlog
from redis import Redis, RedisError, ResponseError
from rq.command import parse_payload
from rq.exceptions import AbandonedJobError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker.base import BaseWorker

from queues import claim, finish, hand_back, retention, timeouts
from queues.doorbell import Doorbell
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.scripts import run
from queues.slots import Slots
from queues.timeouts import ThreadDeathPenalty

log = structlog.get_logger()

DRAIN_DELAY = 30.0  # seconds that an idle worker waits before it looks again and shows that it lives
HEARTBEAT = 25.0  # seconds between two signs of life: twice within a lock, once within a drain delay
WORKER_TTL = 90  # seconds after which a silent worker counts as dead
EXIT_STUCK = 70  # the exit code of a worker that left because of a stuck job
RECONNECT = 1.0  # seconds between two tries to reach an absent Redis


class Worker(BaseWorker):
    """Runs `concurrency` jobs at once, from all queues in order of priority."""

    job_class = Job
    death_penalty_class = ThreadDeathPenalty
    log_result_lifespan = False

    def __init__(self, connection: Redis, *, concurrency: int, grace: float, name: str | None = None):
        super().__init__(
            BY_PRIORITY,
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            log_job_description=False,
        )
        self.grace = grace
        self.limits = (0, 0)  # jobs, and megabytes, after which this process ends; 0 = never
        self._slots = Slots(concurrency)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="job")
        self._next = threading.local()  # .claimed: what the finish of a thread's job brought along
        self._doorbell = Doorbell(connection)
        self._stopping = threading.Event()
        self._last_heartbeat = 0.0
        self._stopped: set[str] = set()  # ids of jobs that somebody asked to stop
        self._failing = threading.Lock()
        timeouts.watchdog().when_stuck = self._leave

    # The main thread: claim for free slots, wait.

    def work(self, *_args: Any, **_options: Any) -> bool:
        """Until SIGTERM or SIGINT; returns whether all jobs have ended. Outlives an absent Redis.

        When some have not, they were handed back, but their threads still run: leave with `os._exit`.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)
        log.info(
            "👷 worker started", worker=self.name, queues=len(self.queues), concurrency=self._slots.number
        )
        is_registered = False
        while not self._stopping.is_set():
            try:
                if not is_registered:
                    self._register()
                    is_registered = True
                self._turn()
            except RedisError as error:
                log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
                self._stopping.wait(RECONNECT)
        return self._shut_down()

    def _turn(self) -> None:
        """Claim what there is; with nothing to claim, wait."""
        self._heartbeat_when_due()
        if self._is_worn_out():
            self._stopping.set()
            return
        result = claim.claim(self.connection, self.name, self._slots.free, datetime.now(UTC))
        for job_id in result.quarantined:
            self._report_quarantined(job_id)
        for claimed in result.claimed:
            self._slots.take(claimed)
            self._threads.submit(self._run_until_nothing_is_left, claimed)
        if not self._slots.free:
            self._slots.wait_for_a_free_one(self._seconds_to_wait(result.due_at))
        elif not result.claimed:
            unlimited = [name for name in BY_PRIORITY if name not in result.limited]
            self._doorbell.wait(unlimited, self._seconds_to_wait(result.due_at))

    def _is_worn_out(self) -> bool:
        """Whether this process has run or grown enough; its supervisor starts a fresh one."""
        most_jobs, most_mb = self.limits
        grown = most_mb and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > most_mb * 1_024  # in KiB
        return bool(grown or (most_jobs and self._slots.ended >= most_jobs))

    def _report_quarantined(self, job_id: str) -> None:
        """To the log and, through RQ's exception handlers, to whoever watches failures."""
        log.error("☠️  job quarantined: its worker died twice", job_id=job_id)
        with suppress(NoSuchJobError):
            job = Job.fetch(job_id, connection=self.connection)
            self.handle_exception(job, AbandonedJobError, AbandonedJobError(claim.STALLED), None)

    def _seconds_to_wait(self, due_at: float | None) -> float:
        longest = DRAIN_DELAY if self._slots.are_all_free else HEARTBEAT
        return max(0.001, min(longest, due_at - time.time())) if due_at else longest

    # A job's thread: run, finish, run the next.

    def _run_until_nothing_is_left(self, claimed: claim.Claimed | None) -> None:
        while claimed:
            self._next.claimed = None
            self._run(claimed)
            self._slots.exchange(claimed, self._next.claimed)
            claimed = self._next.claimed

    def _run(self, claimed: claim.Claimed) -> None:
        job = claimed.job
        queue = Queue(job.origin, connection=self.connection, job_class=Job, serializer=JSONSerializer)
        try:
            self.perform_job(job, queue, claimed.execution)
        except RedisError as error:  # its lock lapses, and it runs again
            log.error("❌ job could not be finished: Redis is away", job_id=job.id, error=str(error))

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
        calls = [finish.call(self.key, job, execution, job.started_at or ended_at, ended_at)]
        if not self._stopping.is_set() and not self._is_worn_out():
            calls.append(claim.call(self.name, 1, datetime.now(UTC)))
        outcome, *claims = self._with_patience(calls)
        if outcome == finish.NOT_OURS:
            log.warning("⚠️  job was finished by another worker meanwhile", job_id=job.id)
        for reply in claims:
            claimed = claim.answer(self.connection, self.name, reply).claimed
            self._next.claimed = claimed[0] if claimed else None

    def _with_patience(self, calls: list[Any]) -> list[Any]:
        """The replies; with Redis away it tries again until the job's lock has lapsed anyway."""
        deadline = time.monotonic() + claim.LOCK
        while True:
            try:
                return run(self.connection, *calls)
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                calls = calls[:1]  # a claim is not repeated: its jobs would come back only when they stall
                time.sleep(RECONNECT)

    def handle_job_failure(self, job: RqJob, *args: Any, **kwargs: Any) -> None:
        """As RQ does; then wake a worker, since the job may be due again in a second."""
        with self._failing:  # RQ has one place for the id of a stopped job
            self._stopped_job_id = job.id if job.id in self._stopped else None
            self._stopped.discard(job.id)
            super().handle_job_failure(job, *args, **kwargs)
        self._doorbell.ring()

    # Commands and emergencies.

    def handle_payload(self, message: Any) -> None:
        """Commands of `rq` and rq-dashboard, on the thread that listens for them."""
        command = parse_payload(message)
        if command["command"] not in ("stop-job", "stop-execution"):
            super().handle_payload(message)
            return
        job_id = command["job_id"]
        self._stopped.add(job_id)
        if timeouts.watchdog().stop(job_id):
            log.warning("✋ job stopped on request", job_id=job_id)
        else:
            self._stopped.discard(job_id)

    def _leave(self, job_id: str) -> None:
        """A job ignores its time limit, so its thread cannot be ended: the whole process must go.

        The other jobs are handed back; the stuck one comes back when its lock lapses, once.
        """
        log.error("☠️  job ignores its time limit; the worker leaves", job_id=job_id)
        self._stopping.set()  # or this worker takes the jobs again that it hands back
        others = [claimed for claimed in self._slots.running() if claimed.job.id != job_id]
        with suppress(RedisError):
            hand_back.hand_back(self.connection, self.name, others)
            self.register_death()
        os._exit(EXIT_STUCK)

    # Signs of life.

    def _warn_if_jobs_may_be_evicted(self) -> None:
        try:
            policy = self.connection.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
        except ResponseError:  # managed services forbid CONFIG; they document their policy
            return
        if policy != "noeviction":
            log.warning(
                "⚠️  Redis may evict jobs when it is full: set maxmemory-policy to noeviction", policy=policy
            )

    def _register(self) -> None:
        self._warn_if_jobs_may_be_evicted()
        self.register_birth()
        self.subscribe()
        self.set_state(WorkerStatus.STARTED)

    def _heartbeat_when_due(self) -> None:
        """Show that the worker and its running jobs live; drop what is too old."""
        if time.monotonic() - self._last_heartbeat < HEARTBEAT:
            return
        self._last_heartbeat = time.monotonic()
        self.heartbeat()
        for claimed in self._slots.running():
            self.maintain_heartbeats(claimed.job, claimed.execution)
        retention.trim_when_due(self.connection)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Extend our key; register again when it has lapsed, as after a restart of Redis."""
        if pipeline is None and not self.connection.exists(self.key):
            self.register_birth()
        super().heartbeat(timeout, pipeline)

    def get_heartbeat_ttl(self, job: RqJob, working_time: float = 0.0) -> int:  # noqa: ARG002
        return claim.LOCK

    # The end.

    def request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        """Take no new job. The waits are ended from a thread: a signal handler must not wait for locks."""
        if not self._stopping.is_set():
            self._stopping.set()
            threading.Thread(target=self._end_waits, daemon=True).start()

    def _end_waits(self) -> None:
        self._slots.interrupt()
        self._doorbell.interrupt()

    def _shut_down(self) -> bool:
        """Let the running jobs end within the grace; hand the rest back to the front of their queues."""
        log.info("👋 worker stopping", worker=self.name, running=len(self._slots.running()), grace=self.grace)
        unfinished = self._slots.wait_until_all_are_free(self.grace)
        try:
            hand_back.hand_back(self.connection, self.name, unfinished)
            self.register_death()
        except RedisError as error:
            log.error("❌ Redis is away: running jobs come back when their lock lapses", error=str(error))
        self._threads.shutdown(wait=not unfinished)
        return not unfinished
