"""What a worker and Redis tell each other about jobs: the ends of runs go out, claimed jobs come in.

Both travel in one round trip. That takes longer than a short job, so short jobs are claimed a few ahead, and
their ends are sent together. Nothing is held for longer than a moment, however long the jobs turn out to be.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

import structlog
from redis import Redis, RedisError

from queues import claim, clock, finish, hand_back
from queues.channel import Channel
from queues.claim import Claim, Claimed, Rest
from queues.pace import Pace
from queues.scripts import Call
from queues.slots import Slots

log = structlog.get_logger()

RECONNECT = 1.0  # seconds between two tries to reach an absent Redis
BUSY_LOOK = 0.05  # seconds between two looks for what is due, of a worker that has its hands full
SHORTEST_DRAIN, LONGEST_DRAIN, PAUSE_BETWEEN_DRAINS = 30.0, 600.0, 30.0  # seconds
MOMENT = 0.05  # seconds that an end may wait to be sent, and a job claimed ahead for its start


class Wire(Protocol):
    """What a worker uses of an exchange; that of the frugal profile is queues/frugal/exchange.py."""

    pace: Pace
    is_closed: threading.Event  # set: no job is taken any more
    is_draining: bool  # a suspect waits until nothing runs here
    has_news: Callable[[Claim], None]  # told of what came along with an end

    def claim(self) -> Claim: ...
    def hand_back(self, claimed: list[Claimed]) -> None: ...
    def ask(self, call: Call) -> Any: ...
    def end(self, call: Call) -> None: ...
    def next(self, done: Claimed, /) -> Claimed | None: ...


class Exchange:
    """Used by the main thread (`claim`) and by the jobs' threads (`end`, `next`)."""

    def __init__(self, connection: Redis, worker_name: str, slots: Slots):
        self.pace = Pace()
        self.is_closed = threading.Event()  # set: no job is taken any more
        self.has_news: Callable[[Claim], None] = lambda _claim: None  # told of what came along with an end
        self._connection, self._name, self._slots = connection, worker_name, slots
        self._channel = Channel(connection)
        self._ids = claim.ExecutionIds()
        self._ends: deque[Call] = deque()
        self._ending: set[str] = set()  # execution ids: over, but Redis may not know yet
        self._is_holding = threading.Event()  # ends, or jobs claimed ahead
        self.is_draining = False  # a suspect waits until nothing runs here
        self._drains_until, self._patience = float("-inf"), SHORTEST_DRAIN  # monotonic, and seconds
        self._may_have_unknown = False  # whether a claim's answer was lost
        self._looked_at = 0.0  # monotonic: when a busy thread last looked for what is due
        threading.Thread(target=self._tend, name="exchange", daemon=True).start()

    # For the main thread.

    def claim(self) -> Claim:
        """Look for what is due, and claim for the free slots. Raises `RedisError`."""
        self._hand_back_unknown()
        if self.is_draining and not self._slots.are_all_free:
            result = self._send([], slots=0, rest="draining")
            self._drain_for(result)
            # It may be over: the suspect went to another worker, say, or took too long. Then claim at once.
            return result if self.is_draining else replace(result, due_at=clock.now())
        rest: Rest = "suspect" if self.is_draining else "rest" if self._slots.are_all_free else ""
        result = self._send([], slots=self._slots.free, rest=rest)
        self._drain_for(result)
        return result

    def _drain_for(self, news: Claim) -> None:
        """Take nothing new while a suspect waits, but not for ever: the next time for longer."""
        now = time.monotonic()
        if not news.is_suspect_waiting:
            self.is_draining, self._patience = False, SHORTEST_DRAIN
        elif self.is_draining and now > self._drains_until:
            self.is_draining, self._patience = False, min(2 * self._patience, LONGEST_DRAIN)
        elif not self.is_draining and now > self._drains_until + PAUSE_BETWEEN_DRAINS:
            self.is_draining, self._drains_until = True, now + self._patience

    def hand_back(self, claimed: list[Claimed]) -> None:
        """Put these jobs, and those claimed ahead, back to the front of their queues. Raises `RedisError`."""
        self._flush(patiently=False)
        self._hand_back_unknown()
        try:
            hand_back.hand_back(self._connection, self._name, [*claimed, *self._slots.drop_ahead()])
        except RedisError:
            self._may_have_unknown = True  # those ahead: nobody here knows them any more
            raise

    def ask(self, call: Call) -> list[int]:
        """The reply to a call; with Redis away it tries again until a job's lock has lapsed anyway."""
        reply: list[int] = self._patiently([call])[0]
        return reply

    # For the jobs' threads.

    def end(self, call: Call) -> None:
        """A run is over, and this is to be sent; by the same thread's `next` at the latest."""
        self._ending.add(_execution(call))
        self._ends.append(call)

    def next(self, done: Claimed) -> Claimed | None:
        """The thread's next job; None: its slot is free, and all ends were sent."""
        if not (self.is_closed.is_set() or self.is_draining or done.is_suspect):
            if ahead := self._slots.take_ahead():
                self._is_holding.set()
                return ahead
            with suppress(RedisError):
                return self._trade()
        self._flush()
        return None

    def _trade(self) -> Claimed | None:
        ends = self._take_ends()
        ahead = 0 if self._slots.free else self.pace.jobs_ahead
        try:
            result = self._send(ends, slots=1, ahead=ahead, is_look=self._is_look_due())
        except RedisError:
            self._ends.extendleft(reversed(ends))  # safe to repeat: a run ends once
            raise
        if result.is_suspect_waiting and not self._slots.free:
            self._drain_for(result)
        self._pass_on(result)
        return result.claimed[0] if result.claimed else None

    def _pass_on(self, news: Claim) -> None:
        """Whatever becomes of it: the jobs that came along are ours, and must run."""
        try:
            self.has_news(news)
        except Exception:
            log.exception("❌ the main thread could not be told; it looks for itself later")

    def _is_look_due(self) -> bool:
        """Now and then while busy, since nobody waits for what is due then."""
        now = time.monotonic()
        if now - self._looked_at < BUSY_LOOK:
            return False
        self._looked_at = now
        return True

    # The wire.

    def _send(
        self, ends: list[Call], *, slots: int, ahead: int = 0, is_look: bool = True, rest: Rest = ""
    ) -> Claim:
        """When the answer is lost, Redis may have claimed jobs that we do not know of: they go back."""
        executions = self._ids.take(slots + ahead)
        call = claim.call(self._name, executions, clock.moment(), is_look=is_look, rest=rest)
        with self._slots.expecting(executions):
            try:
                *outcomes, reply = self._channel.run(*ends, call)
            except RedisError:
                self._may_have_unknown = True
                raise
            result = claim.answer(self._connection, self._name, reply)
            self._keep(result.claimed, slots)
        self._have_arrived(ends, outcomes)
        return result

    def _keep(self, claimed: list[Claimed], slots: int) -> None:
        for job in claimed[:slots]:
            self._slots.take(job)
        for job in claimed[slots:]:
            self._slots.hold(job)
        if len(claimed) > slots:
            self._is_holding.set()

    def _take_ends(self) -> list[Call]:
        ends = []
        with suppress(IndexError):  # several threads take at once
            while True:
                ends.append(self._ends.popleft())
        return ends

    def _have_arrived(self, ends: Sequence[Call], outcomes: Sequence[object]) -> None:
        self._ending.difference_update(map(_execution, ends))
        _report(ends, outcomes)

    def _flush(self, *, patiently: bool = True) -> None:
        ends = self._take_ends()
        if not ends:
            return
        try:
            outcomes = self._patiently(ends) if patiently else self._channel.run(*ends)
            self._have_arrived(ends, outcomes)
        except RedisError as error:
            self._ends.extendleft(reversed(ends))
            log.error("❌ Redis is away: ended jobs cannot be finished", jobs=len(ends), error=str(error))

    def _patiently(self, calls: list[Call]) -> list[list[int]]:
        deadline = time.monotonic() + claim.LOCK
        while True:
            try:
                return self._channel.run(*calls)
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RECONNECT)  # a job's thread; a stop waits for it, up to its grace

    def _hand_back_unknown(self) -> None:
        if self._may_have_unknown:
            self._may_have_unknown = False
            try:
                hand_back.hand_back_unknown(self._connection, self._name, self._ids.prefix, self._knows)
            except RedisError:
                self._may_have_unknown = True
                raise

    def _knows(self, execution: str) -> bool:
        # In this order: what runs comes to its end.
        return self._slots.knows(execution) or execution in self._ending

    # Nothing is held for longer than a moment.

    def _tend(self) -> None:
        while True:
            self._is_holding.wait()
            self._is_holding.clear()
            ends, ahead = list(self._ends), self._slots.ahead()
            time.sleep(MOMENT)  # a thread of its own: for whoever joins these meanwhile
            if ends and any(end is ends[0] for end in list(self._ends)):
                self._flush()
            if ahead and ahead[0] in self._slots.ahead():
                with suppress(RedisError):  # their locks lapse
                    self.hand_back([])
            if self._ends or self._slots.ahead():
                self._is_holding.set()


def _execution(end: Call) -> str:
    return str(end.args[1])


def _report(ends: Sequence[Call], outcomes: Sequence[object]) -> None:
    for call, outcome in zip(ends, outcomes, strict=True):
        if outcome == finish.NOT_OURS:
            log.warning("⚠️  job was finished before, or taken by another worker", job_id=call.args[0])
