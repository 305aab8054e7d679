"""A lease: one holder at a time for a unit of work, which heals itself when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from redis import Redis, RedisError

from queues.scripts import Call, run

PREFIX = "clianta:lease:"


class LeaseTaken(Exception):
    """Somebody else holds the lease; what it guards is being done."""


class LeaseLost(Exception):
    """The lease lapsed while its holder worked; the work must stop and is taken up by the next holder."""


class Lease:
    """Held by a random token, so that only its owner renews or releases it."""

    def __init__(self, connection: Redis, name: str, seconds: float):
        self._connection, self._key, self._seconds = connection, f"{PREFIX}{name}", seconds
        self._token = uuid4().hex

    def take(self) -> bool:
        ms = int(self._seconds * 1_000)
        return bool(self._connection.set(self._key, self._token, nx=True, px=ms))

    def renew(self) -> None:
        """Full time again. Raises `LeaseLost` when it is not ours any more."""
        if not self._change(int(self._seconds * 1_000)):
            raise LeaseLost(f"the lease {self._key} lapsed; a shorter step or a longer lease is needed")

    def release(self) -> None:
        """Give it up if it is still ours."""
        self._change(0)

    def _change(self, ms: int) -> bool:
        return bool(run(self._connection, Call("lease", [self._key], [self._token, ms]))[0])


@contextmanager
def held(connection: Redis, name: str, seconds: float) -> Iterator[Lease]:
    """Hold a lease for the block. Raises `LeaseTaken` at once when somebody else has it."""
    lease = Lease(connection, name, seconds)
    if not lease.take():
        raise LeaseTaken(name)
    try:
        yield lease
    finally:
        with suppress(RedisError):  # it lapses by itself
            lease.release()
