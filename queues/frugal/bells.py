"""What an idle worker of the frugal profile waits on: a bell for each queue, in order of priority."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog
from redis import Redis, RedisError, ResponseError
from rq.utils import as_text

from queues import keys
from queues.doorbell import Doorbell

log = structlog.get_logger()

LONGEST = 290.0  # seconds of one wait: managed services close connections that were idle for 300 s
EARLY = 0.1  # seconds; a wait that ends so much too soon was ended by Redis' clock: that was set
SUSPENDED_LOOK = 60.0  # seconds between two looks while `rq suspend` holds: `rq resume` rings no bell


class Bells(Doorbell):
    """The bells of the queues from which the worker may take a job now, the common doorbell, and its own.

    First stands the key of `rq suspend`: since that is no list, Redis refuses the wait while it is there.
    """

    def __init__(self, connection: Redis, worker_name: str):
        super().__init__(connection, longest=LONGEST)
        self.open_queues: Callable[[], Sequence[str]] = lambda: ()
        self._own = keys.own_bell_key(worker_name)
        self._heard: tuple[str, str] | None = None
        self._was_interrupted = threading.Event()
        self.was_cut_short = False  # the last wait: then our key may have lapsed, too

    def take_heard(self) -> tuple[str, str]:
        """The key of the bell that rang, and its news; once. Two empty texts: none did."""
        heard, self._heard = self._heard, None
        return heard or ("", "")

    def wake(self) -> None:
        """End the wait, or the next one: what is open has changed."""
        self._connection.rpush(self._own, "")

    def interrupt(self) -> None:
        self._was_interrupted.set()
        super().interrupt()

    def _pop(self, client: Redis, seconds: float) -> bool:
        bells = map(keys.bell_key, self.open_queues())
        due = time.monotonic() + seconds
        try:
            found = client.blpop([keys.SUSPENDED, self._own, keys.DOORBELL, *bells], timeout=seconds)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            log.info("⏸️  suspended: `rq resume` lets workers go on")
            self._was_interrupted.wait(min(seconds, SUSPENDED_LOOK))
            return False
        except RedisError:
            self._heard = (keys.DOORBELL, "1")  # a bell may have been popped: look
            raise
        if found:
            self._heard = (as_text(found[0]), as_text(found[1]))
        self.was_cut_short = not (found or self._was_interrupted.is_set()) and time.monotonic() < due - EARLY
        return bool(found)
