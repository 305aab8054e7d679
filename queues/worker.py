"""The worker process: claims jobs, runs them on threads, waits on a doorbell. It never polls.

    claim ──▶ run, on a thread ──▶ finish, and claim the next in the same round trip ──▶ run …
      └─ nothing to claim: wait on the doorbell until the next thing is due ──▶ claim …

An RQ worker in all that others see: registered like one, its state in RQ's keys, its commands obeyed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
from redis import Redis, RedisError, ResponseError
from redis.exceptions import OutOfMemoryError
from rq.job import Job as RqJob
from rq.worker import WorkerStatus

from queues import claim, clock, hand_back, heartbeat, retention, timeouts
from queues.performer import RECONNECT, Performer
from queues.scripts import run

log = structlog.get_logger()

DRAIN_DELAY = 30.0  # seconds that an idle worker waits before it looks again and shows that it lives
HEARTBEAT = 20.0  # seconds between two signs of life; a wait that hangs for 35 s still leaves time for one
EXIT_STUCK = 70  # the exit code of a worker that left because of a stuck job


class Worker(Performer):
    """Runs `concurrency` jobs at once, from all queues in order of priority."""

    def __init__(self, connection: Redis, *, concurrency: int, grace: float, name: str | None = None):
        super().__init__(connection, concurrency=concurrency, name=name)
        self.grace = grace
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="job")
        self._last_heartbeat = 0.0
        timeouts.WATCHDOG.when_stuck = self._leave

    # The main thread: claim for free slots, wait.

    def work(self, *_args: Any, **_options: Any) -> bool:
        """Until SIGTERM or SIGINT; returns whether all jobs have ended. Outlives an absent Redis.

        When some have not, they were handed back, but their threads still run: leave with `os._exit`.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)
        timeouts.WATCHDOG.start()
        log.info(
            "👷 worker started", worker=self.name, queues=len(self.queues), concurrency=self._slots.number
        )
        is_registered = False
        while not self._stopping.is_set():
            try:
                is_registered = is_registered or self._register()
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
        self._hand_back_unknown()
        _, result = self._claim(self._slots.free)
        for claimed in result.claimed:
            self._threads.submit(self._run_until_nothing_is_left, claimed)
        self._report_quarantined(result.quarantined)
        seconds = self._seconds_to_wait(result.due_at)
        self._wakes_at = clock.now() + seconds
        if not self._slots.free:
            self._slots.wait_for_a_free_one(seconds)
        elif not result.claimed:
            self._doorbell.wait(seconds)

    def _hand_back_unknown(self) -> None:
        if self._may_have_unknown:
            self._may_have_unknown = False
            try:
                hand_back.hand_back_unknown(self.connection, self.name, self._slots.knows)
            except RedisError:
                self._may_have_unknown = True
                raise

    def _seconds_to_wait(self, due_at: float | None) -> float:
        longest = DRAIN_DELAY if self._slots.are_all_free else HEARTBEAT
        return max(0.001, min(longest, due_at - clock.now())) if due_at else longest

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

    def _register(self) -> bool:
        """Whether it could; a full Redis takes no new key, but its jobs can be run all the same."""
        self._warn_if_jobs_may_be_evicted()
        clock.follow(self.connection)
        if self.pubsub_thread is None:
            self.subscribe()
        try:
            self._register_anew()
            self.set_state(WorkerStatus.STARTED)
        except OutOfMemoryError:
            log.warning("⚠️  Redis is full: working unregistered")
            return False
        return True

    def _register_anew(self) -> None:
        """RQ refuses to register over a key that is there; ours may be, from a try that broke off."""
        self.connection.delete(self.key)
        self.register_birth()

    def _heartbeat_when_due(self) -> None:
        """Show that the worker and its running jobs live; drop what is too old."""
        if time.monotonic() - self._last_heartbeat < HEARTBEAT:
            return
        self._last_heartbeat = time.monotonic()
        clock.follow(self.connection)
        with suppress(OutOfMemoryError):  # our key may lapse; the jobs' locks are renewed in any case
            self.heartbeat()
        if running := self._slots.running():
            run(self.connection, heartbeat.call([(each.job, each.execution) for each in running]))
        retention.trim_when_due(self.connection)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Extend our key; register again when it is gone or a mere rest, as after a restart of Redis."""
        if pipeline is None and not self.connection.hexists(self.key, "birth"):
            self._register_anew()
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
