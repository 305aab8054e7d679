"""Enqueue the events that never reached Redis, or whose job was lost with it.

Costs two indexed queries when there is nothing to do, and no Redis command. Any number may run at once: a job
has its event's id, so the second enqueue of an event changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

import queues.enqueue
from models import store
from models.event import EventRecord
from publishers import events

BATCH = 500  # events per pass
PENDING_AGE = timedelta(seconds=5)  # a publisher that is alive has enqueued by then
LOST_AGE = timedelta(hours=1)  # far beyond the retries (36 s): by then a job is done, dead, or lost


def relay() -> int:
    """Enqueue what is due; returns how many events were. Safe to run at any time, by anyone."""
    now = store.now()
    pending = EventRecord.pending(before=now - PENDING_AGE, limit=BATCH)
    return events.put_on_queue(pending) + _recover_lost()


def _recover_lost() -> int:
    waiting = EventRecord.not_done(before=store.now() - LOST_AGE, limit=BATCH)
    if not waiting:
        return 0
    alive = queues.enqueue.existing([f"event-{record.id}" for record in waiting])
    # A dead letter stays where it is: it is looked at again after LOST_AGE, and holds up no younger event.
    EventRecord.mark_queued(record.id for record in waiting if f"event-{record.id}" in alive)
    return events.put_on_queue(record for record in waiting if f"event-{record.id}" not in alive)
