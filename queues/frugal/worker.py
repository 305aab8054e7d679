"""The worker of the frugal profile: as the standard one, with another line to Redis."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from redis import RedisError
from redis.exceptions import OutOfMemoryError
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.job import Retry
from rq.queue import Queue
from rq.worker import WorkerStatus

from queues import clock
from queues.claim import Claimed
from queues.doorbell import Doorbell
from queues.exchange import Wire
from queues.frugal.bells import LONGEST, Bells
from queues.frugal.exchange import FrugalExchange
from queues.job import Job
from queues.names import QUEUES
from queues.scripts import Call, run
from queues.worker import Worker

HEARTBEAT = 570.0  # seconds between two signs of life: every second wait
RETRY = 60.0  # seconds between two tries to be known to RQ's tools, once Redis was full
LAPSE = 1_200  # seconds without one after which the worker counts as dead: two may come late


class FrugalWorker(Worker):
    """Runs jobs at once as `Worker` does; see queues/frugal/__init__.py for how it comes by them."""

    _last_seen_at = 0.0  # Unix time
    ttl = LAPSE - 60  # RQ adds a minute

    def _lines(self) -> tuple[Doorbell, Wire]:
        self._bells = Bells(self.connection, self.name)
        self._frugal = FrugalExchange(self.connection, self.name, self._slots, self._bells, LAPSE + 10.0)
        return self._bells, self._frugal

    # Waiting, and signs of life.

    def _seconds_to_wait(self, due_at: float | None) -> float:
        return max(0.001, min(LONGEST, due_at - clock.now())) if due_at else LONGEST

    def _register(self) -> None:
        self._warn_if_jobs_may_be_evicted()
        if self.pubsub_thread is None:
            self.subscribe()
        self._register_anew()
        if not self._is_registered:
            self._warn_that_redis_is_full()

    def _register_anew(self) -> None:
        """Known as one that may hold jobs before it holds any; what RQ's tools show is worth less."""
        with suppress(OutOfMemoryError):
            super()._register_anew()
        run(self.connection, Call("frugal_register", (), [self.name, self._slots.number, LAPSE]))
        self._note_sign_of_life()

    def _heartbeat_when_due(self) -> None:
        longest = HEARTBEAT if self._is_registered else RETRY
        if self._silent_for() < longest and not self._bells.was_cut_short:
            return
        self._bells.was_cut_short = False
        self._note_sign_of_life()
        if not self._is_registered or not self.connection.expire(self.key, LAPSE):
            self._register_anew()

    def _note_sign_of_life(self) -> None:
        self._last_heartbeat, self._last_seen_at = time.monotonic(), time.time()

    def _silent_for(self) -> float:
        """By both clocks: the monotonic one stands still while the machine sleeps, and Redis' does not."""
        return max(time.monotonic() - self._last_heartbeat, time.time() - self._last_seen_at)

    def get_heartbeat_ttl(self, job: RqJob, working_time: float = 0.0) -> int:  # noqa: ARG002 - the same for all
        return LAPSE

    def _state_now(self) -> str:
        """Always the same: to tell it anew would be billed."""
        return WorkerStatus.STARTED.value

    # The end of a run.

    def _finalize_success(self, job: RqJob, queue: Queue, execution: Execution, return_value: Any) -> None:
        claimed: Claimed = self._mine.claimed
        is_plain = self._is_plain(job) and not isinstance(return_value, Retry)
        if is_plain and not claimed.is_kept:
            self._frugal.drop(claimed)
            return
        super()._finalize_success(job, queue, execution, return_value)
        if not is_plain:
            self._frugal.let_go(claimed)

    def handle_job_failure(self, job: RqJob, *args: Any, **kwargs: Any) -> None:
        super().handle_job_failure(job, *args, **kwargs)
        if not self._is_plain(job):
            self._frugal.let_go(self._mine.claimed)

    def _count(self, job: Job, outcome: str) -> None:
        """Not at all: the counters that RQ's tools show cost as much as the jobs."""

    def _is_still_ours(self, claimed: Claimed) -> bool:
        return self._frugal.is_ours(claimed)

    def _run_until_nothing_is_left(self, claimed: Claimed | None) -> None:
        super()._run_until_nothing_is_left(claimed)
        if claimed and QUEUES[claimed.job.origin].max_running:
            with suppress(RedisError):
                self._bells.wake()  # the main thread does not listen to a queue at its cap

    def _run(self, claimed: Claimed) -> None:
        super()._run(claimed)
        self._frugal.leave(claimed)

    # The end of the worker.

    def register_death(self) -> None:
        """Gone at once, so that a job that had to be left behind comes back at the next worker's start."""
        super().register_death()
        self.connection.delete(self.key)

    def _shut_down(self) -> bool:
        have_all_ended = super()._shut_down()
        with suppress(RedisError):
            self._frugal.farewell()
        return have_all_ended
