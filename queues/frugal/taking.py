"""Take a job: from its queue to the list of a free slot, so that it is never nowhere, whoever dies."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import OutOfMemoryError
from rq.job import Job as RqJob
from rq.utils import as_text

from queues import claim, keys
from queues.claim import Claimed
from queues.frugal.look import put_back_unreadable
from queues.scripts import Call, run
from queues.slots import Slots

# Fields of a job's hash: somebody waits for its end, or it is part of a chain, whose ends must stay known.
KEPT = (b"webhook", b"batch", b"awaited", b"dependency_id")


class Taking:
    """The lists of a worker's slots. Used by the main thread, but for `doubt`."""

    def __init__(self, connection: Redis, worker_name: str, slots: Slots):
        self.lists = [f"{keys.TAKEN}{worker_name}:{slot}" for slot in range(slots.number)]
        self.suspect_on = ""  # the queue at whose front a suspect waits until nothing runs here
        self._connection, self._name, self._slots = connection, worker_name, slots
        self._doubtful: set[str] = set()  # lists that may hold a job though nothing runs there

    def take(self, queue: str) -> Claimed | None:
        """The first job of the queue, into a free slot; None when there is none for now."""
        clean = [name for name in self._free_lists() if name not in self._doubtful]
        if not clean:  # a slot has just become free, and a job was left there
            self._connection.rpush(keys.bell_key(queue), "1")
            return None
        job_id = self._move(keys.queue_key(queue), clean[0])
        return self._read(job_id, queue, clean[0]) if job_id else None

    def doubt(self, *lists: str) -> None:
        """An answer was lost, or an end could not be told: these lists, or all free ones, may hold a job."""
        self._doubtful.update(lists or self._free_lists())

    def put_back_unknown(self) -> bool:
        """Put back what stands in lists that are in doubt, and free; returns whether any was."""
        found = self._doubtful.intersection(self._free_lists())
        for taken in found:
            for job_id in map(as_text, self._connection.lrange(taken, 0, -1)):
                if origin := self._connection.hget(RqJob.key_for(job_id), "origin"):
                    self._connection.lmove(taken, keys.queue_key(as_text(origin)), "LEFT", "LEFT")
            self._connection.delete(taken)
            self._doubtful.discard(taken)
        return bool(found)

    def _free_lists(self) -> list[str]:
        return [name for name in self.lists if not self._slots.knows(name)]

    def _move(self, queue: str, taken: str) -> bytes | None:
        try:
            moved: Any = self._connection.lmove(queue, taken, "LEFT", "RIGHT")
        except OutOfMemoryError:
            moved = run(self._connection, Call("frugal_take", (), [queue, taken]))[0]
        return moved or None

    def _read(self, job_id: bytes, queue: str, taken: str) -> Claimed | None:
        found: Any = self._connection.hgetall(RqJob.key_for(job_id.decode()))
        stored: dict[bytes, bytes] = found
        if b"data" not in stored:
            self._connection.delete(taken)  # deleted in the meantime, or never a job
            return None
        if b"stalls" in stored and not self._slots.are_all_free:
            self._connection.lmove(taken, keys.queue_key(queue), "LEFT", "LEFT")
            self.suspect_on = queue
            return None
        self.suspect_on = ""
        claimed = self._claimed(job_id, taken, stored)
        if claimed is None:
            put_back_unreadable(self._connection, taken)
        return claimed

    def _claimed(self, job_id: bytes, taken: str, stored: dict[bytes, bytes]) -> Claimed | None:
        fields = [part for pair in stored.items() for part in pair]
        answer = ["", [], "", [taken.encode(), job_id, fields]]  # as claim.lua's, for one job
        for claimed in claim.answer(self._connection, self._name, answer).claimed:
            claimed.is_kept = any(name in stored for name in KEPT)
            return claimed
        return None
