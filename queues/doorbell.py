"""The doorbell: the one list that an idle worker waits on.

Who enqueues rings it, before the push and in the same step, so a wait never takes a job away. Our job class
rings for stock tools, too (`rq requeue`, rq-dashboard); what is pushed without it waits for the next look.
"""

from __future__ import annotations

import time
from contextlib import suppress

from redis import Redis, RedisError

from queues import keys
from queues.connection import SOCKET_TIMEOUT, for_blocking

INTERRUPT_PAUSE = 0.01  # seconds between two tries to end a wait that is just beginning
PATIENCE = 1.0  # seconds after which a wait that cannot be ended by Redis is cut off
SHORTEST = 0.002  # seconds of one wait: Redis 6.2 takes less than a millisecond for "as long as it takes"
LONGEST = 30.0  # seconds of one wait; a dead connection is noticed 5 s after it


class Doorbell:
    """One worker's wait. `wait` is called by one thread only; `ring` and `interrupt` by any."""

    def __init__(self, connection: Redis, bell: str = keys.DOORBELL, longest: float = LONGEST):
        self._connection = connection
        self._bell = bell
        self._longest = longest
        self._blocking: Redis | None = None
        self._client_id = 0
        self._is_waiting = False
        self._is_interrupted = False
        self._is_to_end = False  # this wait, or the next one

    def ring(self) -> None:
        self._connection.rpush(self._bell, "1")

    def wait(self, seconds: float) -> bool:
        """Return when the bell rings, or (False) the time is over."""
        self._is_waiting = True  # before the look at _is_interrupted: so interrupt() cannot miss a wait
        try:
            is_over = self._is_interrupted or self._is_to_end
            return not is_over and self._block(min(max(seconds, SHORTEST), self._longest))
        finally:
            self._is_waiting = self._is_to_end = False

    def end_wait(self) -> None:
        """End this wait, or the next one. It writes nothing, so a full Redis allows it."""
        self._is_to_end = True
        deadline = time.monotonic() + PATIENCE
        while self._is_waiting and self._is_to_end and time.monotonic() < deadline:
            with suppress(RedisError):  # an absent Redis ends the wait by itself
                self._connection.client_unblock(self._client_id)
            time.sleep(INTERRUPT_PAUSE)  # the wait may not have reached Redis yet

    def interrupt(self) -> None:
        """End a wait at once and for good."""
        self._is_interrupted = True
        deadline = time.monotonic() + PATIENCE
        while self._is_waiting:
            with suppress(RedisError):  # an absent Redis ends the wait by itself
                self._connection.client_unblock(self._client_id)
            if time.monotonic() > deadline and self._blocking and self._blocking.connection:
                self._blocking.connection.disconnect()
            time.sleep(INTERRUPT_PAUSE)  # the wait may not have reached Redis yet

    def _block(self, seconds: float) -> bool:
        if self._blocking is None:
            self._blocking = for_blocking(self._connection, self._longest)
            self._client_id = int(self._blocking.client_id())
        if connection := self._blocking.connection:  # Redis' own clock, if set back, would hold us for longer
            connection.update_current_socket_timeout(seconds + SOCKET_TIMEOUT)
        try:
            return self._pop(self._blocking, seconds)
        except RedisError:
            self._blocking = None  # the next connection has another id
            raise

    def _pop(self, client: Redis, seconds: float) -> bool:
        return bool(client.blpop([self._bell], timeout=seconds))
