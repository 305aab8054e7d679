"""Put on the queue, in their order, the events that did not reach Redis or whose job was lost with it.

Costs three indexed queries when there is nothing to do, and no Redis command. Any number may run at once: a
job has its event's id, so the second enqueue of an event changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from models import store
from models.event import QUEUED, WAITING, EventRecord
from publishers import events, turns
from queues import job_state

BATCH = 500  # events per pass
PENDING_AGE = timedelta(seconds=5)  # a publisher that is alive has enqueued by then
LOST_AGE = timedelta(hours=1)  # far beyond the retries (36 s): by then a job is done, dead, or lost
WAITING_AGE = timedelta(minutes=10)  # beyond the retries of one before it, its time limit each time
GONE = ("finished", "stopped")  # such a job does nothing any more for its event


def relay() -> int:
    """Enqueue what is due; returns how many events were. Safe to run at any time, by anyone.

    Raises `RedisError`.
    """
    return _enqueue_pending() + _recover_lost() + _wake()


def recover(records: Sequence[EventRecord]) -> int:
    """Give events whose job is gone a new one, and give up those whose job was; returns how many anew."""
    states = job_state.statuses([record.job_id for record in records])
    lost = []
    for record in records:
        state = states.get(record.job_id)
        if state == "failed":
            turns.fail(record.id, "its job is a dead letter")
        elif state == "canceled":
            turns.fail(record.id, "its job was cancelled")
        elif state is None or (state in GONE and record.begin_anew()):
            lost.append(record)
    return events.enqueue(sorted(lost, key=lambda record: (record.position, record.id)))


def _enqueue_pending() -> int:
    """Those whose job waits for some seconds already are among them, and are marked as such."""
    found = EventRecord.pending(before=store.now() - PENDING_AGE, limit=BATCH)
    if not found:
        return 0
    enqueued = recover(found)
    EventRecord.mark_queued(record.id for record in found)
    return enqueued


def _recover_lost() -> int:
    found = EventRecord.not_done(QUEUED, before=store.now() - LOST_AGE, limit=BATCH)
    if not found:
        return 0
    EventRecord.seen(record.id for record in found)  # so that they hold up no other
    return recover(found)


def _wake() -> int:
    """Events that wait although it is their turn: who should have woken them died at that moment."""
    found = EventRecord.not_done(WAITING, before=store.now() - WAITING_AGE, limit=BATCH)
    if not found:
        return 0
    EventRecord.seen(record.id for record in found)
    return sum(turns.pass_on(subject) for subject in {record.subject for record in found})
