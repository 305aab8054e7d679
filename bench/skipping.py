"""A clock that skips the time in which nothing happens, so that a day passes in seconds.

The code under test is unchanged and every command is really sent: a wait really blocks in Redis. When all
threads wait and no work is left, the clock of this process, and the lifetimes of the keys in Redis, jump to
the earliest moment at which a wait would have ended, and that wait is ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import time_machine
from redis import Redis

from bench.billing import Meter
from bench.processes import Failed

real_monotonic = time.monotonic
LONGEST_WAIT = 200  # seconds that a wait in Redis may really take, whatever it asked for
HUNG = 30.0  # seconds of real time after which work that does not end counts as hung
LOOK = 0.0005  # seconds between two looks whether everybody waits

# Shorten the lives of keys, but for jobs and their results: those are kept for longer than is simulated.
# Returns how many keys were looked at, shortened, deleted.
AGE = """
local looked, shortened, deleted = 0, 0, 0
for _, key in ipairs(redis.call('KEYS', '*')) do
  if not (string.find(key, '^rq:job:') or string.find(key, '^rq:results:')) then
    local left = redis.call('PTTL', key)
    looked = looked + 1
    if left >= 0 and left <= tonumber(ARGV[1]) then redis.call('DEL', key); deleted = deleted + 1
    elseif left > 0 then redis.call('PEXPIRE', key, left - ARGV[1]); shortened = shortened + 1 end
  end
end
return {looked, shortened, deleted}
"""


@dataclass(eq=False)
class Wait:
    """One thread that waits until `deadline` of the skipping clock, or for one of `lists` in Redis."""

    deadline: float
    end: Callable[[], object]
    lists: tuple[str, ...] = ()


class SkippingClock:
    def __init__(self, meter: Meter, start: datetime, is_idle: Callable[[], bool]):
        """`is_idle` tells whether no job runs in this process."""
        self._meter, self._is_idle = meter, is_idle
        self._skipped = 0.0
        self._travel = time_machine.travel(start, tick=True)
        self._waits: set[Wait] = set()
        self._ids: dict[Redis, int] = {}
        self._change = threading.Lock()

    def monotonic(self) -> float:
        return real_monotonic() + self._skipped

    @contextmanager
    def running(self) -> Iterator[None]:
        """This process lives by the skipping clock."""
        blpop = Redis.blpop

        def waiting_blpop(client: Redis, keys: Any, timeout: float = 0) -> Any:
            client_id = self._id_of(client)
            lists = tuple(keys) if isinstance(keys, list | tuple) else (keys,)
            end = partial(self._meter.ask, "CLIENT", "UNBLOCK", client_id)
            with self._registered(Wait(self.monotonic() + timeout, end, lists)):
                return blpop(client, keys, timeout=LONGEST_WAIT)

        with (
            self._travel as self._traveller,
            mock.patch("time.monotonic", self.monotonic),
            mock.patch.object(Redis, "blpop", waiting_blpop),
        ):
            yield

    def _id_of(self, client: Redis) -> int:
        if client not in self._ids:
            self._ids[client] = int(client.client_id())
            self._meter.own({"client": 1}, trips=1)
        return self._ids[client]

    @contextmanager
    def _registered(self, wait: Wait) -> Iterator[None]:
        with self._change:
            self._waits.add(wait)
        try:
            yield
        finally:
            with self._change:
                self._waits.discard(wait)

    def event(self) -> threading.Event:
        """An event whose `wait(seconds)` is by this clock."""
        clock = self

        class SkippingEvent(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                if timeout is None:
                    return super().wait()
                over = threading.Event()
                with clock._registered(Wait(clock.monotonic() + timeout, over.set)):
                    while not (self.is_set() or over.is_set()):
                        over.wait(0.005)
                return self.is_set()

        return SkippingEvent()

    def settle(self, threads: int) -> set[Wait]:
        """Return the waits when that many threads wait and nothing is left to do. Raises `Failed`."""
        deadline = real_monotonic() + HUNG
        while not self._is_quiet(waits := self._snapshot(), threads):
            if real_monotonic() > deadline:
                raise Failed(f"{len(waits)} of {threads} threads wait after {HUNG:g} s; work is left")
            time.sleep(LOOK)  # real time, for threads that still work; the deadline ends it
        return waits

    def skip(self, seconds: float, threads: int) -> None:
        """Let that much time pass, and all that happens in it."""
        end = self.monotonic() + seconds
        while True:
            first = min(self.settle(threads), key=lambda wait: wait.deadline)
            if first.deadline > end:
                self._jump(end - self.monotonic())
                return
            self._jump(first.deadline - self.monotonic())
            while first in self._snapshot():  # the server may not have its command yet
                first.end()
                time.sleep(LOOK)  # real time, until the server has it

    def _is_quiet(self, waits: set[Wait], threads: int) -> bool:
        if len(waits) < threads or not self._is_idle():
            return False
        blocked = sum(1 for wait in waits if wait.lists)
        if self._meter.ask("INFO", "clients")["blocked_clients"] != blocked:
            return False  # one was served, and its thread is on its way
        lists = {name for wait in waits for name in wait.lists}
        return not (lists and self._meter.ask("EXISTS", *lists))

    def _snapshot(self) -> set[Wait]:
        with self._change:
            return set(self._waits)

    def _jump(self, seconds: float) -> None:
        if seconds <= 0:
            return
        self._skipped += seconds
        self._traveller.shift(timedelta(seconds=seconds))
        looked, shortened, deleted = self._meter.ask("EVAL", AGE, 0, round(seconds * 1_000))
        self._meter.own({"keys": 1, "pttl": looked, "pexpire": shortened, "del": deleted})


def next_midnight() -> datetime:
    """Near the real present, so that times which Redis compares with its own clock still make sense."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1)
