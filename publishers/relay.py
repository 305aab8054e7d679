"""Put on the queue, in their order, the events that did not reach Redis or whose job was lost with it.

Costs one indexed query when there is nothing to do, and no Redis command. Any number may run at once: a
job has its event's id, so the second enqueue of an event changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.event import DONE, FAILED, PENDING, QUEUED, QUEUED_FOR, WAITING, WAITING_FOR, EventRecord
from publishers import events, turns
from queues import job_state

BATCH = 500  # events per pass
PASSES = 10  # per call: it is called each minute, and has to make good what Redis missed in an outage
GONE = ("finished", "stopped")  # such a job does nothing any more for its event


def relay() -> int:
    """Enqueue what is due; returns how many events were. Safe to run at any time, by anyone.

    Raises `RedisError`.
    """
    count = 0
    for _ in range(PASSES):
        due = EventRecord.due(BATCH)
        count += _look_after(due)
        if len(due) < BATCH:
            break
    return count


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


def _look_after(due: Sequence[EventRecord]) -> int:
    groups = {status: [record for record in due if record.status == status] for status in CARE}
    return sum(CARE[status](records) for status, records in groups.items() if records)


def _enqueue_pending(records: Sequence[EventRecord]) -> int:
    """Those whose job waits for some seconds already are among them, and are marked as such."""
    enqueued = recover(records)
    EventRecord.mark_queued(record.id for record in records)
    return enqueued


def _recover_lost(records: Sequence[EventRecord]) -> int:
    EventRecord.seen((record.id for record in records), QUEUED, QUEUED_FOR)  # so that they hold up no other
    return recover(records)


def _wake(records: Sequence[EventRecord]) -> int:
    """Events that wait although it is their turn: who should have woken them died at that moment."""
    EventRecord.seen((record.id for record in records), WAITING, WAITING_FOR)
    return sum(turns.pass_on(subject) for subject in {record.subject for record in records})


def _tidy(records: Sequence[EventRecord]) -> int:
    EventRecord.tidy(record.id for record in records)
    return 0


CARE = {PENDING: _enqueue_pending, QUEUED: _recover_lost, WAITING: _wake, DONE: _tidy, FAILED: _tidy}
