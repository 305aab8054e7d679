"""A thread's own line to Redis, for the scripts that each job costs: one write and one read a round trip."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import hiredis
from redis import Redis, RedisError
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from queues.scripts import Call, is_of_replica, replies, script

FRESH = 10.0  # seconds; a connection that was idle for longer may have been closed by the other side


class Channel(threading.local):
    """Each thread that uses it keeps one connection of the client's pool, for good.

    Borrowing one for each call, as the client does, costs as much time as a script call itself.
    """

    def __init__(self, client: Redis):
        self._client = client
        self._connection: AbstractConnection | None = None
        self._used_at = 0.0
        self._process = os.getpid()

    def run(self, *calls: Call) -> list[Any]:
        """As `scripts.run`, but it never repeats a call whose answer was lost. Raises `RedisError`."""
        return replies(self._client, calls, self._send)

    def run_again(self, *calls: Call) -> list[Any]:
        """As `run`; calls whose answer was lost are made once more, so it must do no harm."""
        try:
            return self.run(*calls)
        except (ConnectionError, TimeoutError):
            return self.run(*calls)

    def _send(self, calls: Sequence[Call]) -> list[Any]:
        connection = self._ready()
        packed = b"".join(self._packed(call) for call in calls)
        try:
            connection.send_packed_command([packed])
            answers = [_answer(connection) for _ in calls]
        except BaseException:  # a job's time limit, too: what is still to come is nobody's answer
            connection.disconnect()
            raise
        finally:
            self._used_at = time.monotonic()
        if any(isinstance(answer, ResponseError) and is_of_replica(answer) for answer in answers):
            connection.disconnect()  # after a failover it leads to what is a replica now
        return answers

    def _packed(self, call: Call) -> bytes:
        """As it goes over the wire. The client's own packer looks at each argument in Python first."""
        sha = script(call.name, self._client).sha
        packed: bytes = hiredis.pack_command(("EVALSHA", sha, len(call.keys), *call.keys, *call.args))
        return packed

    def _ready(self) -> AbstractConnection:
        if self._process != os.getpid():  # a fork: the connection belongs to the parent
            self._connection, self._process = None, os.getpid()
        if self._connection is None:
            pool = self._client.connection_pool
            # Not borrowed from the pool, which would never get it back: it goes with its thread.
            self._connection = pool.connection_class(**pool.connection_kwargs)
        elif time.monotonic() - self._used_at > FRESH and self._is_closed(self._connection):
            self._connection.disconnect()
        return self._connection

    def _is_closed(self, connection: AbstractConnection) -> bool:
        """Nothing is under way, so all that there can be to read is the end."""
        try:
            return connection.can_read(timeout=0)
        except RedisError:
            return True


@cache
def of(client: Redis) -> Channel:
    """The channel of a client that its process shares."""
    return Channel(client)


def _answer(connection: AbstractConnection) -> Any:
    try:
        return connection.read_response()
    except ResponseError as refused:  # of this call only; the answers to the others follow
        return refused
