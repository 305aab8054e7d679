"""Our queue class: RQ's, with the jobs that wait in the lanes of a long queue (lua/lanes.lua).

For those who look at a queue or empty it: `rq --queue-class queues.queue.Queue`, `flask queues empty`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rq.queue import Queue as RqQueue
from rq.utils import now, utcformat

from queues import keys
from queues.scripts import Call, run

BATCH = 500  # jobs per script call: keeps one call under a few milliseconds


class Queue(RqQueue):
    """What RQ's own class sees of a long queue is its front, the next 100 jobs or so."""

    @property
    def count(self) -> int:
        """How many jobs wait. Raises `RedisError`."""
        return int(super().count) + int(self.connection.hget(keys.LANES, self.name) or 0)

    def empty(self) -> int:
        """Delete what waits; returns how many jobs. See `empty_in_parts`."""
        return sum(self.empty_in_parts())

    def empty_in_parts(self) -> Iterator[int]:
        """Delete the jobs that wait now, part by part; yields how many each. Raises `RedisError`.

        What can never run without them, the rest of a chain or the callback of a batch, is cancelled. Safe to
        run beside workers and publishers: a job that has started runs on, and no more are deleted than were
        there at the start. An event whose job is deleted is enqueued again by the relay.
        """
        left = self.count
        while left > 0:
            call = Call("empty", (), [self.name, min(left, BATCH), utcformat(now())])
            deleted = int(run(self.connection, call)[0])
            if not deleted:
                return
            yield deleted
            left -= deleted
