"""The events of one record are handled one after the other, in the order in which they were published.

Only the earliest open event of a record has its turn. A job that comes before its event's turn ends at once:
the event waits, and the one before it is marked as followed. When that one is done its job goes on with the
next; when it is a dead letter, the next one is put on the queue. So nobody polls, other records go on, and an
event costs the same however many there are. A dead letter gives way: requeued later, it is handled out of
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
    if record.runs > run:  # another job answers for it, and for those that follow
        return None
    if record.status == DONE and record.subject and record.is_followed:
        _make_up(record)
    return None if record.status == DONE else record


def end(
    record: EventRecord, reactions: Mapping[str, bool], job: str, drop: Iterable[str] = ()
) -> EventRecord | None:
    """It is done, these reactions last (see `EventRecord.note`), and the ledger may drop these lists of it.

    Returns the next when that has waited: the caller, whose job this is, handles it now, or hands it on.
    """
    return _next(record.subject, job) if record.mark_done(reactions, drop) and record.subject else None


def fail(event_id: ObjectId, error: str) -> None:
    """Its job is a dead letter, and so is the event, unless it is done; one that waits for it begins."""
    is_followed = EventRecord.mark_failed(event_id, error)
    record = EventRecord.objects(id=event_id).first()
    if record is None or not record.subject:  # one without begins anew as followed, too
        return
    if is_followed:
        pass_on(record.subject)
    elif record.status == DONE and record.is_followed:  # the job failed with one that came after it
        _make_up(record)


def pass_on(subject: str) -> bool:
    """Let the earliest open event of the subject begin, if it waits. Safe to repeat at any time.

    Returns whether it was put on the queue. One that does not wait does the same when it has ended.
    """
    heir = _next(subject)
    return heir is not None and hand_on(heir)


def hand_on(record: EventRecord) -> bool:
    """Its own job handles it, before all others that wait; False with Redis away: then the relay does it."""
    if events.put_on_queue([record], at_front=True):
        return True
    record.suspend()
    return False


def _next(subject: str, carrier: str | None = None) -> EventRecord | None:
    """The earliest open event, when it waited: whoever gets it is the only one."""
    while head := EventRecord.head(subject):
        if head.status != WAITING:
            if EventRecord.follow(head.id):
                return None
        elif head.begin_anew(carrier):
            return head
    return None


def _make_up(record: EventRecord) -> None:
    """A job comes back though its event is done: it died before the next one began, or while it handled it.

    The next one may as well be with another job, which is alive: then it is left alone.
    """
    head = None if pass_on(record.subject) else EventRecord.head(record.subject)
    if head and head.carried_by == record.job_id:
        events.put_on_queue([head])  # unless its job is there
