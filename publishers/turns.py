"""The events of one record are handled one after the other, in the order in which they were published.

Only the earliest open event of a record has its turn. A job that comes before its event's turn ends at once:
the event waits, and the one before it is marked as followed. When that one is done, or is a dead letter, the
next one is put on the queue. So nobody polls, other records go on, and an event costs the same however many
there are. A dead letter gives way: requeued later, it is handled out of order.
"""

from __future__ import annotations

from collections.abc import Iterable

from bson import ObjectId

from models.event import DONE, WAITING, EventRecord
from publishers import events


def take(event_id: ObjectId, subject: str | None, position: int, run: int) -> EventRecord | None:
    """The event when its turn has come; None when it waits from now on, is done, or has a newer job.

    A failed one, whose job a person has requeued, has had its turn. One query when it need not wait, and one
    command more when it must. Raises `EventRecord.DoesNotExist`.
    """
    while subject and (head := EventRecord.head(subject, position)):
        if head.id == event_id:
            is_mine = head.runs <= run and (head.status != WAITING or head.resume())
            return head if is_mine else None
        if EventRecord.wait(event_id, before=head.id, run=run):
            return None
        if not EventRecord.objects.get(id=event_id).is_open_for(run):
            break
    record: EventRecord = EventRecord.objects.get(id=event_id)
    if record.status == DONE and record.subject and record.is_followed:
        pass_on(record.subject)  # its worker may have died just before it did
    return None if record.status == DONE or record.runs > run else record


def end(record: EventRecord, reactions: Iterable[str]) -> None:
    """It is done, these reactions last; one that waits for it begins."""
    if record.mark_done(reactions) and record.subject:
        pass_on(record.subject)


def fail(event_id: ObjectId, error: str) -> None:
    """It is a dead letter; one that waits for it begins."""
    if EventRecord.mark_failed(event_id, error):
        pass_on(EventRecord.objects.get(id=event_id).subject)


def pass_on(subject: str) -> bool:
    """Let the earliest open event of the subject begin, if it waits. Safe to repeat at any time.

    Returns whether it was put on the queue. One that does not wait does the same when it has ended.
    """
    while head := EventRecord.head(subject):
        if head.status != WAITING:
            if EventRecord.follow(head.id):
                return False
        elif head.begin_anew():
            return bool(events.put_on_queue([head], at_front=True))
    return False
