"""What a worker of the frugal profile and Redis tell each other about jobs: one command where one will do.

A bell says on which queue a job waits; it is moved to the list of a free slot, so that it is never nowhere.
The list goes when the run is over. The main thread takes; the jobs' threads end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from rq.job import Job as RqJob
from rq.utils import as_text

from queues import claim, clock, finish, hand_back, keys, retention
from queues.claim import Claim, Claimed
from queues.exchange import RECONNECT
from queues.frugal import limits
from queues.frugal.bells import Bells
from queues.frugal.look import Scope, look, put_back_unreadable
from queues.names import BY_PRIORITY, QUEUES
from queues.pace import Pace
from queues.scripts import Call, run
from queues.slots import Slots

T = TypeVar("T")

log = structlog.get_logger()

LOOK = 7_200.0  # seconds between two looks for what rings no bell
TRIM = 7_000  # seconds between two trims, by one worker of the fleet
PATIENCE = 600.0  # seconds that an end is tried to be sent; then the job stays taken, and runs again
# Fields of a job's hash: somebody waits for its end, or it is part of a chain, whose end must stay known.
KEPT = (b"webhook", b"batch", b"awaited", b"dependency_id")


class FrugalExchange:
    """As `queues.exchange.Exchange` to those who use it."""

    def __init__(self, connection: Redis, worker_name: str, slots: Slots, bells: Bells, lapse: float):
        """`lapse`: seconds after which a silent worker counts as dead."""
        self.pace = Pace()
        self.is_closed = threading.Event()
        self.is_draining = False
        self.has_news: Callable[[Claim], None] = lambda _claim: None
        self._connection, self._name, self._slots = connection, worker_name, slots
        self._lists = [f"{keys.TAKEN}{worker_name}:{slot}" for slot in range(slots.number)]
        self._lapse = lapse
        self._limits = limits.Limits()
        self._paused: set[str] = set()
        self._due: dict[str, float] = {}  # queue -> Unix time of its next delayed job
        self._look_at, self._has_looked = 0.0, False  # monotonic
        self._suspect_on = ""  # the queue at whose front a suspect waits until nothing runs here
        self._taken: set[str] = set()  # lists whose job has not ended
        self._is_unsure = False  # whether an answer was lost: a free slot's list may hold a job
        self._bells = bells
        bells.open_queues = self._open_queues

    # For the main thread.

    def claim(self) -> Claim:
        """Look if it is time for that, and take the job that a bell told of. Raises `RedisError`."""
        queue, scope = self._listen()
        if self._is_unsure:
            self._put_back_unknown()
            scope = "all"
        quarantined = self._look(scope)
        if self._suspect_on:
            queue = self._suspect_on if self._slots.are_all_free else ""
        claimed = self._take(queue) if queue else None
        self.is_draining = bool(self._suspect_on)
        return Claim([claimed] if claimed else [], self._next_moment(), quarantined, self.is_draining)

    def hand_back(self, claimed: list[Claimed]) -> None:
        """Put these jobs back to the front of their queues. Raises `RedisError`."""
        hand_back.hand_back(self._connection, self._name, claimed)

    def ask(self, call: Call) -> Any:
        return self._patiently(lambda: run(self._connection, call))[0]

    def farewell(self) -> None:
        """The worker ends; nobody need look after it when nothing was left in its lists."""
        if not self._connection.exists(*self._lists):
            self._connection.hdel(keys.FRUGAL_WORKERS, self._name)

    # For the jobs' threads.

    def end(self, call: Call) -> None:
        """A run is over, and a script is to say so. Raises `RedisError` when that was tried for long."""
        job_id, taken, *_ = call.args
        if self.ask(call) == finish.NOT_OURS:
            log.warning("⚠️  job was taken by another worker meanwhile", job_id=job_id)
        self._taken.discard(taken)

    def drop(self, claimed: Claimed) -> None:
        """A run has succeeded, and nobody waits for it: the job is gone, and so is our claim to it."""
        self._patiently(lambda: self._connection.delete(claimed.job.key, claimed.execution.id))
        self._taken.discard(claimed.execution.id)

    def let_go(self, claimed: Claimed) -> None:
        """A run has ended in RQ's own way."""
        self._patiently(lambda: self._connection.delete(claimed.execution.id))
        self._taken.discard(claimed.execution.id)

    def is_ours(self, claimed: Claimed) -> bool:
        """Whether nobody took the job for that of a dead worker, since this one was silent for so long."""
        return bool(self._patiently(lambda: self._connection.exists(claimed.execution.id)))

    def leave(self, claimed: Claimed) -> None:
        """The thread is done with the job. When its end could not be told, the job is put back."""
        if claimed.execution.id in self._taken:
            self._taken.discard(claimed.execution.id)
            self._is_unsure = True

    def next(self, done: Claimed) -> Claimed | None:  # noqa: ARG002
        """None: the slot is free. Whatever waits has rung for the main thread."""
        return None

    # Listening.

    def _open_queues(self) -> list[str]:
        going = [queue for queue in BY_PRIORITY if queue not in self._paused]
        return self._limits.open(going, self._slots.running())

    def _listen(self) -> tuple[str, Scope | None]:
        """What the last wait has heard: the queue on which a job waits, or what is to be looked at."""
        bell, news = self._bells.take_heard()
        if bell.startswith(keys.bell_key("")):
            return bell.removeprefix(keys.bell_key("")), None
        due, _, queue = news.partition(" ")
        if queue in QUEUES:
            self._due[queue] = min(float(due), self._due.get(queue, float("inf")))
            return "", None
        return "", "all" if news == "1" else None

    # Looking.

    def _look(self, scope: Scope | None) -> list[str]:
        """Look at what that says, or at what is due; returns ids of quarantined jobs."""
        due = [queue for queue, moment in self._due.items() if moment <= clock.now()]
        if time.monotonic() >= self._look_at:
            scope = "workers"
        scope = scope or ("delayed" if due else None)
        if not scope:
            return []
        queues = due if scope == "delayed" else BY_PRIORITY
        seen = look(self._connection, self._name, scope, queues)
        for queue in queues:
            self._due.pop(queue, None)
        self._due |= seen.due
        if scope != "delayed":
            self._paused = seen.paused
        if scope == "workers":
            self._plan_next_look(seen.has_other_workers)
        if seen.has_ended_jobs:
            retention.trim_when_due(self._connection, TRIM)
        return seen.quarantined

    def _plan_next_look(self, has_other_workers: bool) -> None:
        """After the first look another one when the key of a worker that died just before it has lapsed."""
        is_first, self._has_looked = not self._has_looked, True
        self._look_at = time.monotonic() + (self._lapse if is_first and has_other_workers else LOOK)

    def _next_moment(self) -> float:
        """Unix time at which there is something to look at, or a queue may start jobs again."""
        now = clock.now()
        closed = [wait for queue in BY_PRIORITY if (wait := self._limits.opens_in(queue))]
        look_at = now + self._look_at - time.monotonic()
        return min([look_at, *(now + wait for wait in closed), *self._due.values()])

    # Taking.

    def _free_lists(self) -> list[str]:
        return [name for name in self._lists if not self._slots.knows(name)]

    def _take(self, queue: str) -> Claimed | None:
        taken = self._free_lists()[0]
        try:
            job_id = self._move(keys.queue_key(queue), taken)
            found = self._read(job_id, queue, taken) if job_id else None
        except ReadOnlyError:
            self._connection.connection_pool.disconnect(inuse_connections=False)
            raise
        except RedisError:
            self._is_unsure = True
            raise
        return found

    def _move(self, queue: str, taken: str) -> bytes | None:
        try:
            moved: Any = self._connection.lmove(queue, taken, "LEFT", "RIGHT")
        except OutOfMemoryError:
            moved = run(self._connection, Call("frugal_take", (), [queue, taken]))[0]
        return moved or None

    def _read(self, job_id: bytes, queue: str, taken: str) -> Claimed | None:
        stored = self._connection.hgetall(RqJob.key_for(job_id.decode()))
        if b"data" not in stored:
            self._connection.delete(taken)  # deleted in the meantime, or never a job
            return None
        if b"stalls" in stored and not self._slots.are_all_free:
            self._connection.lmove(taken, keys.queue_key(queue), "LEFT", "LEFT")
            self._suspect_on = queue
            return None
        self._suspect_on = ""
        fields = [part for pair in stored.items() for part in pair]
        answer = ["", [], "", [taken.encode(), job_id, fields]]  # as claim.lua's, for one job
        found = claim.answer(self._connection, self._name, answer).claimed
        if not found:
            put_back_unreadable(self._connection, taken)
            return None
        claimed = found[0]
        claimed.is_kept = any(name in stored for name in KEPT)
        self._taken.add(taken)
        self._slots.take(claimed)
        self._limits.note_start(queue)
        return claimed

    def _put_back_unknown(self) -> None:
        """What stands in a free slot's list was taken without our knowing, or could not be ended."""
        for taken in self._free_lists():
            for job_id in map(as_text, self._connection.lrange(taken, 0, -1)):
                if origin := self._connection.hget(RqJob.key_for(job_id), "origin"):
                    self._connection.lmove(taken, keys.queue_key(as_text(origin)), "LEFT", "LEFT")
            self._connection.delete(taken)
        self._is_unsure = False

    # With Redis away.

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
                if isinstance(error, ReadOnlyError):
                    self._connection.connection_pool.disconnect(inuse_connections=False)
                time.sleep(RECONNECT)
