"""What a worker of the frugal profile and Redis tell each other about jobs: one command where one will do.

A bell says on which queue a job waits; it is moved to the list of a free slot; that list goes when the run is
over. The main thread takes, the jobs' threads end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from redis import Redis, RedisError
from redis.exceptions import ReadOnlyError

from queues import clock, finish, hand_back, keys
from queues.claim import Claim, Claimed
from queues.exchange import RECONNECT
from queues.frugal.bells import Bells
from queues.frugal.limits import Limits
from queues.frugal.look import Look, Scope
from queues.frugal.taking import Taking
from queues.names import BY_PRIORITY
from queues.pace import Pace
from queues.scripts import Call, run
from queues.slots import Slots

T = TypeVar("T")

log = structlog.get_logger()

PATIENCE = 600.0  # seconds that an end is tried to be sent; then the job stays taken, and runs again


class FrugalExchange:
    """As `queues.exchange.Exchange` to those who use it."""

    def __init__(self, connection: Redis, worker_name: str, slots: Slots, bells: Bells, lapse: float):
        """`lapse`: seconds after which a silent worker counts as dead."""
        self.pace = Pace()
        self.is_closed = threading.Event()
        self.is_draining = False
        self.has_news: Callable[[Claim], None] = lambda _claim: None
        self._connection, self._name, self._slots, self._bells = connection, worker_name, slots, bells
        self._taking, self._limits = Taking(connection, worker_name, slots), Limits()
        self._look = Look(connection, worker_name, lapse)
        self._unended: set[str] = set()  # ids of executions
        bells.open_queues = self._open_queues

    # For the main thread.

    def claim(self) -> Claim:
        """Look if it is time for that, and take the job that a bell told of. Raises `RedisError`."""
        try:
            return self._claim()
        except RedisError as error:
            self._taking.doubt()
            self._leave_replica(error)
            raise

    def _claim(self) -> Claim:
        queue, scope = self._listen()
        if self._taking.put_back_unknown():
            scope = "all"
        quarantined = self._look.when_due(scope)
        if self._taking.suspect_on:
            queue = self._taking.suspect_on if self._slots.are_all_free else ""
        claimed = self._take(queue) if queue else []
        self.is_draining = bool(self._taking.suspect_on)
        return Claim(claimed, self._next_moment(), quarantined, self.is_draining)

    def _listen(self) -> tuple[str, Scope | None]:
        """What the last wait has heard: the queue on which a job waits, or what is to be looked at."""
        bell, news = self._bells.take_heard()
        if bell.startswith(keys.bell_key("")):
            return bell.removeprefix(keys.bell_key("")), None
        return "", self._look.hear(news)

    def _take(self, queue: str) -> list[Claimed]:
        claimed = self._taking.take(queue)
        if claimed is None:
            return []
        self._unended.add(claimed.execution.id)
        self._slots.take(claimed)
        self._limits.note_start(queue)
        return [claimed]

    def _open_queues(self) -> list[str]:
        going = [queue for queue in BY_PRIORITY if queue not in self._look.paused]
        return self._limits.open(going, self._slots.running())

    def _next_moment(self) -> float:
        """Unix time at which there is something to look at, or a queue may start jobs again."""
        closed = [wait for queue in BY_PRIORITY if (wait := self._limits.opens_in(queue))]
        return min([self._look.next_moment(), *(clock.now() + wait for wait in closed)])

    def hand_back(self, claimed: list[Claimed]) -> None:
        """Put these jobs back to the front of their queues. Raises `RedisError`."""
        hand_back.hand_back(self._connection, self._name, claimed)

    def farewell(self) -> None:
        """The worker ends. Nobody need look after it when nothing was left in its lists."""
        if not self._connection.exists(*self._taking.lists):
            self._connection.hdel(keys.FRUGAL_WORKERS, self._name)

    # For the jobs' threads. Each raises `RedisError` when it was tried for long.

    def ask(self, call: Call) -> Any:
        return self._patiently(lambda: run(self._connection, call))[0]

    def end(self, call: Call) -> None:
        """A run is over, and a script is to say so."""
        job_id, execution, *_ = call.args
        if self.ask(call) == finish.NOT_OURS:
            log.warning("⚠️  job was taken by another worker meanwhile", job_id=job_id)
        self._unended.discard(execution)

    def drop(self, claimed: Claimed) -> None:
        """A run has succeeded, and nobody waits for it: the job is gone, and so is our claim to it."""
        self._delete(claimed.job.key, claimed.execution.id)
        self._unended.discard(claimed.execution.id)

    def let_go(self, claimed: Claimed) -> None:
        """A run has ended in RQ's own way."""
        self._delete(claimed.execution.id)
        self._unended.discard(claimed.execution.id)

    def leave(self, claimed: Claimed) -> None:
        """The thread is about to free its slot. When its end could not be told, the job is put back."""
        if claimed.execution.id in self._unended:
            self._unended.discard(claimed.execution.id)
            self._taking.doubt(claimed.execution.id)

    def is_ours(self, claimed: Claimed) -> bool:
        """Whether nobody took the job for that of a dead worker, since this one was silent for so long."""
        return bool(self._patiently(lambda: self._connection.exists(claimed.execution.id)))

    def next(self, _done: Claimed) -> Claimed | None:
        """None: the slot is free. What waits has rung for the main thread."""
        return None

    def _delete(self, *names: str) -> None:
        self._patiently(lambda: self._connection.delete(*names))

    def _patiently(self, send: Callable[[], T]) -> T:
        """Try until Redis answers; a job's thread may wait for that, and a stop waits up to its grace."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return send()
            except RedisError as error:
                if time.monotonic() > deadline:
                    log.error("❌ Redis is away: a job that has ended will run again", error=str(error))
                    raise
                self._leave_replica(error)
                time.sleep(RECONNECT)  # nothing of this job can go on without Redis

    def _leave_replica(self, error: RedisError) -> None:
        """After a failover our connections may lead to what is a replica now; new ones will not."""
        if isinstance(error, ReadOnlyError):
            self._connection.connection_pool.disconnect(inuse_connections=False)
