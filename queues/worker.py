"""The worker process: claims jobs, runs them on threads, waits on a doorbell. It never polls.

    claim ──▶ run, on a thread ──▶ finish, and claim the next in the same round trip ──▶ run …
      └─ nothing to claim: wait on the doorbell until the next thing is due ──▶ claim …

An RQ worker in all that others see: registered like one, its state in RQ's keys, its commands obeyed.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import structlog
from redis import Redis, RedisError, ResponseError
from redis.exceptions import OutOfMemoryError
from rq.job import Job as RqJob
from rq.utils import now, utcformat

from queues import claim, clock, heartbeat, keys, retention, timeouts
from queues.exchange import RECONNECT
from queues.performer import Performer
from queues.scripts import run

log = structlog.get_logger()

DRAIN_DELAY = 30.0  # seconds that an idle worker waits before it looks again and shows that it lives
HEARTBEAT = 20.0  # seconds between two signs of life; a wait that hangs for 35 s still leaves time for one
SOON = 0.05  # seconds; the main thread need not be woken for less
DRAIN_LOOK = 1.0  # seconds between two looks while a suspect waits until nothing runs here
SHOW_AFTER = 1.0  # seconds after which a running job's execution is shown to RQ's tools
EXIT_STUCK = 70  # the exit code of a worker that left because of a stuck job


class Worker(Performer):
    """Runs `concurrency` jobs at once, from all queues in order of priority."""

    def __init__(self, connection: Redis, *, concurrency: int, grace: float, name: str | None = None):
        super().__init__(connection, concurrency=concurrency, name=name)
        self.grace = grace
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="job")
        self._last_heartbeat, self._is_registered = 0.0, False
        self._wakes_at = 0.0  # Redis' time at which the main thread looks again
        self._exchange.has_news = self._hear
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
        while not self._exchange.is_closed.is_set():
            try:
                if not is_registered:
                    self._register()
                    is_registered = True
                self._turn()
            except RedisError as error:
                log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
                self._exchange.is_closed.wait(RECONNECT)
            except Exception:  # the jobs' threads would go on without anybody to renew their locks
                log.exception("❌ the main thread failed; trying again", seconds=RECONNECT)
                self._exchange.is_closed.wait(RECONNECT)
        return self._shut_down()

    def _turn(self) -> None:
        """Claim what there is; then wait for a free slot, or for more."""
        self._heartbeat_when_due()
        result = self._exchange.claim()
        for claimed in result.claimed:
            self._threads.submit(self._run_until_nothing_is_left, claimed)
        self._report_quarantined(result.quarantined)
        seconds = self._seconds_to_wait(result.due_at)
        self._wakes_at = clock.now() + seconds
        if self._exchange.is_draining:
            self._slots.wait_until_all_are_free(min(seconds, DRAIN_LOOK))
        elif not self._slots.free:
            self._slots.wait_for_a_free_one(seconds)
        else:  # nothing is left to claim
            self._doorbell.wait(seconds)

    def _hear(self, news: claim.Claim) -> None:
        """What a job's thread learned when it ended a run."""
        self._report_quarantined(news.quarantined)
        is_due_sooner = news.due_at is not None and news.due_at < self._wakes_at - SOON
        if is_due_sooner or news.is_suspect_waiting:
            self._ring()  # the main thread, here or elsewhere, has to look

    def _seconds_to_wait(self, due_at: float | None) -> float:
        longest = DRAIN_DELAY if self._slots.are_all_free else SHOW_AFTER if self._unshown() else HEARTBEAT
        return max(0.001, min(longest, due_at - clock.now())) if due_at else longest

    def _leave(self, job_id: str) -> None:
        """A job ignores its time limit, so its thread cannot be ended: the whole process must go.

        The other jobs are handed back; the stuck one comes back when its lock lapses, once.
        """
        log.error("☠️  job ignores its time limit; the worker leaves", job_id=job_id)
        self._exchange.is_closed.set()  # or this worker takes the jobs again that it hands back
        others = [claimed for claimed in self._slots.running() if claimed.job.id != job_id]
        with suppress(RedisError):
            self._exchange.hand_back(others)
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
        """A full Redis takes no new key. Its jobs can be run all the same, and later heartbeats try again."""
        self._warn_if_jobs_may_be_evicted()
        clock.follow(self.connection)
        if self.pubsub_thread is None:
            self.subscribe()
        try:
            self._register_anew()
        except OutOfMemoryError:
            self._warn_that_redis_is_full()

    def _warn_that_redis_is_full(self) -> None:
        log.warning("⚠️  Redis is full: it takes no new job; raise its maxmemory, or purge dead letters")

    def _register_anew(self) -> None:
        """RQ refuses to register over a key that is there; ours may be, from a try that broke off."""
        self._is_registered = False
        self.connection.delete(self.key)
        self.register_birth()
        self._is_registered = True

    def _heartbeat_when_due(self) -> None:
        """Show that the worker and its running jobs live; drop what is too old."""
        if time.monotonic() - self._last_heartbeat < HEARTBEAT:
            self._show(self._unshown(older_than=SHOW_AFTER))
            return
        self._last_heartbeat = time.monotonic()
        clock.follow(self.connection)
        with suppress(OutOfMemoryError):  # our key may lapse; the jobs' locks are renewed in any case
            self.heartbeat()
        self._show(self._slots.running())
        retention.trim_when_due(self.connection)

    def _unshown(self, older_than: float = 0.0) -> list[claim.Claimed]:
        """Running jobs whose executions RQ's tools do not see yet: most are over before they could."""
        before = datetime.now(UTC) - timedelta(seconds=older_than)
        running = self._slots.running()
        return [each for each in running if not each.is_shown and each.execution.created_at <= before]

    def _show(self, running: list[claim.Claimed]) -> None:
        if running:
            run(self.connection, heartbeat.call(self.name, running))

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Extend our key and tell our state; register again when it is gone, as after a restart of Redis."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        self._is_suspended = bool(self.connection.exists(keys.SUSPENDED))
        with self.connection.pipeline(transaction=False) as own:
            own.hset(self.key, mapping={"last_heartbeat": utcformat(now()), **self._condition()})
            for key in (self.key, self.executions_key):
                own.expire(key, timeout or self.worker_ttl + 60)
            new_fields, *_ = own.execute()
        if new_fields or not self._is_registered:
            self._register_anew()
            log.info("👷 worker registered again", worker=self.name)

    def serialize(self) -> dict[str, Any]:
        return {**super().serialize(), **self._condition()}

    def _condition(self) -> dict[Any, Any]:
        """What of our key changes."""
        return {**self._tally.totals(), "state": self._state_now()}

    def get_heartbeat_ttl(self, job: RqJob, working_time: float = 0.0) -> int:  # noqa: ARG002 - the same for all
        return claim.LOCK

    # The end.

    def request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self._stop()

    def _shut_down(self) -> bool:
        """Let the running jobs end within the grace; hand the rest back to the front of their queues."""
        log.info("👋 worker stopping", worker=self.name, running=len(self._slots.running()), grace=self.grace)
        with suppress(RedisError):
            self._exchange.hand_back([])
        unfinished = self._slots.wait_until_all_are_free(self.grace)
        try:
            self._exchange.hand_back(unfinished)
            self._tally.write(self.connection, self.key, self._state_now)
            self.register_death()
            self._doorbell.ring()  # what this worker leaves free, a cap of a queue say, others may take
        except RedisError as error:
            log.error("❌ Redis is away: running jobs come back when their lock lapses", error=str(error))
        self._threads.shutdown(wait=not unfinished)
        return not unfinished
