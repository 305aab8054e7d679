"""The worker process: claims jobs, runs them on threads, waits on a doorbell. It never polls.

    claim (claim.py) ──▶ run (RQ's perform_job on a thread) ──▶ finish (RQ's own) ──▶ claim …
                              └─ nothing to claim: wait on the doorbell until the next thing is due

An RQ worker in all that others see: registered like one, its state in RQ's keys, its commands obeyed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import structlog
from redis import Redis, RedisError
from rq.job import Job as RqJob
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker.base import BaseWorker

from queues import doorbell, hand_back, retention
from queues.claim import LOCK, Claimed, claim
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.timeouts import ThreadDeathPenalty

log = structlog.get_logger()

DRAIN_DELAY = 30.0  # seconds that an idle worker waits before it looks again and shows that it lives
WORKER_TTL = 90  # seconds after which a silent worker counts as dead
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
        self.concurrency, self.grace = concurrency, grace
        self._stopping = threading.Event()
        self._running: dict[Future[Any], Claimed] = {}
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="job")
        self._last_heartbeat = 0.0
        self._doorbell = doorbell.Doorbell(connection)

    def work(self, *_args: Any, **_options: Any) -> bool:
        """Until SIGTERM or SIGINT. Outlives an absent Redis."""
        self._install_signal_handlers()
        self._until_redis_answers(self._register)
        log.info("👷 worker started", worker=self.name, queues=len(self.queues), concurrency=self.concurrency)
        while not self._stopping.is_set():
            try:
                self._turn()
            except RedisError as error:
                log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
                self._stopping.wait(RECONNECT)
        return self._shut_down()

    def _turn(self) -> None:
        """Claim what there is; with nothing to claim, wait."""
        self._heartbeat_when_due()
        self._forget_finished()
        slots = self.concurrency - len(self._running)
        result = claim(self.connection, self.name, slots, datetime.now(UTC))
        for job_id in result.quarantined:
            log.error("☠️  job quarantined: its worker died twice", job_id=job_id)
        for claimed in result.claimed:
            self._start(claimed)
        if result.claimed and len(self._running) < self.concurrency:
            return  # there may be more: take it before waiting
        seconds = self._seconds_to_wait(result.due_at)
        if len(self._running) == self.concurrency:
            wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        else:
            self._doorbell.wait([name for name in BY_PRIORITY if name not in result.limited], seconds)

    def _seconds_to_wait(self, due_at: float | None) -> float:
        longest = LOCK / 2 if self._running else DRAIN_DELAY
        return max(0.001, min(longest, due_at - time.time())) if due_at else longest

    def _start(self, claimed: Claimed) -> None:
        self.executions[claimed.execution.id] = claimed.execution
        queue = Queue(
            claimed.job.origin, connection=self.connection, job_class=Job, serializer=JSONSerializer
        )
        future = self._threads.submit(self.perform_job, claimed.job, queue, claimed.execution)
        self._running[future] = claimed

    def _forget_finished(self) -> None:
        for future in [future for future in self._running if future.done()]:
            claimed = self._running.pop(future)
            self.executions.pop(claimed.execution.id, None)
            if error := future.exception():
                # Redis went away while the job was being finished: its lock lapses and it runs again.
                log.error("❌ job could not be finished", job_id=claimed.job.id, error=str(error))

    def prepare_job_execution(self, job: RqJob, remove_from_intermediate_queue: bool = False) -> None:
        """Nothing is left to prepare: the claim has marked the job as started."""

    def handle_job_failure(self, job: RqJob, *args: Any, **kwargs: Any) -> None:
        """As RQ does; then wake a worker, since the job may be due again in a second."""
        super().handle_job_failure(job, *args, **kwargs)
        self._doorbell.ring()

    def _heartbeat_when_due(self) -> None:
        """Show that the worker and its running jobs live, a few times per lock."""
        if time.monotonic() - self._last_heartbeat < min(DRAIN_DELAY, LOCK / 2) - 1:
            return
        self._last_heartbeat = time.monotonic()
        self.heartbeat()
        for claimed in self._running.values():
            self.maintain_heartbeats(claimed.job, claimed.execution)
        retention.trim_when_due(self.connection)

    def get_heartbeat_ttl(self, job: RqJob, working_time: float = 0.0) -> int:  # noqa: ARG002
        return LOCK

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Extend our key; register again when it has lapsed, as after a restart of Redis."""
        if pipeline is None and not self.connection.exists(self.key):
            self.register_birth()
        super().heartbeat(timeout, pipeline)

    def _register(self) -> None:
        self.register_birth()
        self.subscribe()
        self.set_state(WorkerStatus.STARTED)

    def _until_redis_answers(self, action: Any) -> None:
        while not self._stopping.is_set():
            try:
                action()
                return
            except RedisError as error:
                log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
                self._stopping.wait(RECONNECT)

    def _install_signal_handlers(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)

    def request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        """Take no new job; the doorbell's wait is ended from a thread, since a handler must not use Redis."""
        if not self._stopping.is_set():
            self._stopping.set()
            threading.Thread(target=self._doorbell.interrupt, daemon=True).start()

    def _shut_down(self) -> bool:
        """Let the running jobs end within the grace; hand the rest back to the front of their queues."""
        log.info("👋 worker stopping", worker=self.name, running=len(self._running), grace=self.grace)
        _done, unfinished = wait(self._running, timeout=self.grace)
        try:
            hand_back.hand_back(self.connection, self.name, [self._running[future] for future in unfinished])
            self.register_death()
        except RedisError as error:
            log.error("❌ Redis is away: running jobs come back when their lock lapses", error=str(error))
        if unfinished:
            os._exit(0)  # their threads cannot be ended otherwise
        self._threads.shutdown()
        return True
