"""A mark in Redis that tells how much of what it was told is certainly there.

What an append-only file, a snapshot or a replica holds is the beginning of all that was written. So whoever
finds the mark of a moment finds what was written before it, too: a Redis that came back without its last
seconds, or with the data of yesterday, shows by itself how far it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from redis import Redis
from redis.exceptions import ResponseError
from rq.utils import as_text

from queues import keys
from queues.connection import for_blocking, redis


@dataclass(frozen=True)
class Seen:
    """What one look at Redis showed."""

    mark: datetime | None  # None: it is gone, and all else with it
    server: str | None  # another one after a restart or a failover; None: the server does not say


class Mark:
    """Over one connection that is never renewed: what is written goes to the server that was looked at."""

    def __init__(self, client: Redis):
        self._client = client

    def look(self) -> Seen:
        """Two commands. Raises `RedisError`."""
        found = self._client.get(keys.MARK)
        return Seen(datetime.fromisoformat(as_text(found)) if found else None, self._server())

    def place(self, moment: datetime) -> None:
        """What was written before that moment is there, or need not be."""
        self._client.set(keys.MARK, moment.isoformat())

    def move(self, moment: datetime) -> bool:
        """As `place`; False, and nothing is done, when the mark is gone since the look."""
        return bool(self._client.set(keys.MARK, moment.isoformat(), xx=True))

    def _server(self) -> str | None:
        """Its run, and the history that it continues. Some providers forbid to ask."""
        try:
            known = self._client.info()
        except ResponseError:
            return None
        ids = [str(known[name]) for name in ("run_id", "master_replid") if known.get(name)]
        return " ".join(ids) or None


@contextmanager
def mark() -> Iterator[Mark]:
    """For one look and what follows from it. Raises `RedisError`."""
    client = for_blocking(redis(), 0)
    try:
        yield Mark(client)
    finally:
        client.connection_pool.disconnect()
