"""The doorbell: one list that idle workers wait on, together with the queues themselves.

Our own enqueue rings it. Stock tools (`rq requeue`, rq-dashboard) push straight to a queue, which ends the
wait just as well: the popped job goes back to the front, and the claim that follows takes it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from redis import Redis, RedisError
from rq.utils import as_text

from queues import keys
from queues.connection import for_blocking

INTERRUPT_PAUSE = 0.01  # seconds between two tries to end a wait that is just beginning
LONGEST = 240.0  # seconds; some managed services close a connection that is idle for 300


class Doorbell:
    """One worker's wait. `wait` is called by one thread only; `ring` and `interrupt` by any."""

    def __init__(self, connection: Redis, bell: str = keys.DOORBELL):
        self._connection = connection
        self._bell = bell
        self._blocking: Redis | None = None
        self._client_id = 0
        self._is_waiting = False
        self._is_interrupted = False

    def ring(self) -> None:
        self._connection.rpush(self._bell, "1")

    def wait(self, queues: Sequence[str], seconds: float) -> bool:
        """Return when the bell rings, a job stands in one of the queues, or (False) the time is over."""
        self._is_waiting = True  # before the look at _is_interrupted: so interrupt() cannot miss a wait
        try:
            watched = [self._bell, *map(keys.queue_key, queues)]
            return not self._is_interrupted and self._block(watched, min(seconds, LONGEST))
        finally:
            self._is_waiting = False

    def interrupt(self) -> None:
        """End a wait at once and for good; one that pops at this very moment keeps what it popped."""
        self._is_interrupted = True
        while self._is_waiting:
            with suppress(RedisError):  # an absent Redis ends the wait by itself
                self._connection.client_unblock(self._client_id)
            time.sleep(INTERRUPT_PAUSE)

    def _block(self, watched: list[str], seconds: float) -> bool:
        if self._blocking is None:
            self._blocking = for_blocking(self._connection, LONGEST)
            self._client_id = int(self._blocking.client_id())
        try:
            popped = self._blocking.blpop(watched, timeout=seconds)
        except RedisError:
            self._blocking = None  # the next connection has another id
            raise
        if popped and as_text(popped[0]) != self._bell:
            self._connection.lpush(*popped)
        return bool(popped)
