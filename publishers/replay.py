"""Handle again the events that are not done: failed, lost, or of a type or version that was unknown before.

What took effect stays as it is: an event that is done is left alone, and of one that is not, only the
reactions run that did not succeed yet. Order is kept: an event that is replayed holds up the later ones of
its record that are not done either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bson import ObjectId

from models.event import FAILED, PENDING, QUEUED, WAITING, EventRecord
from models.event_window import Window
from publishers import events
from queues import dead_letters, job_state

BATCH = 500  # events per step: two store commands and a few round trips to Redis
ALIVE = ("queued", "started", "scheduled", "deferred")  # the job of the event is yet to do its work


@dataclass(frozen=True)
class Step:
    """Numbers of events."""

    seen: int
    replayed: int  # the others are on the queue as it is, or were done meanwhile


def replay(window: Window, per_second: int, pause: Callable[[float], None] = time.sleep) -> Iterator[Step]:
    """Replay what is not done now, in the order of publication, some at a time. Raises `RedisError`.

    Safe to run twice, and at the same time: an event whose job is alive is left to it.
    """
    ids = window.unfinished()
    size = min(per_second, BATCH)
    for start in range(0, len(ids), size):
        if start:
            pause(size / per_second)
        yield _step(ids[start : start + size])


def _step(ids: Sequence[ObjectId]) -> Step:
    found = EventRecord.objects(id__in=list(ids), status__in=[PENDING, QUEUED, WAITING, FAILED])
    records = sorted(found, key=lambda record: (record.position, record.id))
    states = job_state.statuses([job_id for record in records for job_id in record.jobs])
    dead = [record for record in records if states.get(record.job_id) == "failed"]
    kept = {job_id for job_id, state in states.items() if state in ALIVE}
    gone = [r for r in records if r.status != WAITING and r not in dead and kept.isdisjoint(r.jobs)]
    anew = [record for record in gone if record.begin_anew()]
    return Step(len(ids), _revive(dead) + events.enqueue(anew))


def _revive(records: Sequence[EventRecord]) -> int:
    """Requeue dead letters; from now on the later events of their records wait for them again."""
    if not records:
        return 0
    EventRecord.reopen(record.id for record in records)
    return dead_letters.requeue([record.job_id for record in records]).done
