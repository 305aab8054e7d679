"""publish(): record an event in the ledger, then put it on `crm-events`.

Once the ledger has it the event is accepted: when Redis is away the record stays `pending` and the relay
(publishers/relay.py) enqueues it later. The functions of a family, like `contacts.created(…)`, publish one
event each, or in a `batch()` all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from bson import ObjectId

import queues.enqueue
from models import store
from models.event import PENDING_FOR, EventRecord
from models.store import now, object_id
from publishers import cause, positions
from publishers.group_commit import GroupCommit
from queues.names import CRM_EVENTS
from schemas.event import Event, is_passing

# By name: a publisher knows no consumer.
DISPATCHER = "consumers.dispatch.handle"

PATIENCE = 5.0  # seconds that the store may take for a group, for which all wait; far more than it needs

Commit = Callable[[Sequence[EventRecord]], Sequence[EventRecord]]

_batch: ContextVar[list[tuple[Event, str | None]] | None] = ContextVar("batch", default=None)

log = structlog.get_logger()


def publish(
    event: Event,
    *,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    depth: int | None = None,
    key: str | None = None,
) -> str:
    """Accept one event; returns its id. Publishing one with the same key again returns the first one's id.

    What brings it about is by default the event whose reaction or job runs on this thread, or the request.
    `key` instead of the event's own, for a cause that must publish it once. `depth`: how many automations led
    to it; by default as many as to the event that caused it.
    Raises `models.store.StoreError` when the store is away: then nothing was accepted.
    """
    return _accept([event], [key or event.key], _cause(correlation_id, causation_id), depth)[0]


def publish_all(
    events: Sequence[Event],
    *,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    depth: int | None = None,
    keys: Sequence[str | None] = (),
) -> list[str]:
    """Accept several events with one store command and one round trip to Redis per 500; ids in order.

    `keys`: one per event, for those that have none of their own. The rest as in `publish`.
    """
    given = keys or [None] * len(events)
    own = [event.key or key for event, key in zip(events, given, strict=True)]
    return _accept(events, own, _cause(correlation_id, causation_id), depth)


def record_all(events: Sequence[Event], *, depth: int) -> Sequence[EventRecord]:
    """Accept several events for a caller who handles them at once: if it dies, the relay enqueues them."""
    records = _records(events, [event.key for event in events], _cause(None, None), depth)
    return EventRecord.accept(records) if records else []


def announce(event: Event, *, key: str | None = None) -> None:
    """Publish it now, or with the others of the `batch()` that is open on this thread.

    `key` as in `publish`.
    """
    if (waiting := _batch.get()) is None:
        publish(event, key=key)
    else:
        waiting.append((event, key or event.key))


@contextmanager
def batch(*, in_group: bool = False) -> Iterator[None]:
    """What is announced in the block is published at its end, together; none of it when the block raises.

    A batch within a batch is part of it. `in_group`: together even with what other threads publish in groups
    at this moment, for the many short requests of web processes; see `GroupCommit`.
    """
    if _batch.get() is not None:
        yield
        return
    token = _batch.set([])
    try:
        yield
        announced = _batch.get() or []
    finally:
        _batch.reset(token)
    events, keys = [event for event, _ in announced], [key for _, key in announced]
    _accept(events, keys, _cause(None, None), None, commit=_together if in_group else _store_and_enqueue)


def put_on_queue(records: Iterable[EventRecord], *, at_front: bool = False) -> bool:
    """Enqueue recorded events. False with Redis away: they stay as they are, and the relay does it later.

    Most are done within seconds: only the relay marks those whose jobs wait for longer as queued.
    """
    jobs = [_job(record, at_front=at_front) for record in records]
    try:
        queues.enqueue.enqueue_many(jobs)
    except queues.enqueue.RedisError as error:
        log.warning("⏸️  Redis is away: events stay as they are", events=len(jobs), error=str(error))
        return False
    return True


def enqueue(records: Iterable[EventRecord]) -> int:
    """As `put_on_queue`; returns how many had no job there. Raises `RedisError`."""
    return queues.enqueue.enqueue_many([_job(record, at_front=False) for record in records])


def _cause(correlation_id: str | None, causation_id: str | None) -> cause.Cause:
    current = cause.current()
    return cause.Cause(correlation_id or current.correlation_id, causation_id or current.event_id)


def _store_and_enqueue(records: Sequence[EventRecord]) -> Sequence[EventRecord]:
    stored = EventRecord.accept(records)
    put_on_queue(record for record in stored if record.status == "pending")
    return stored


def _in_time(records: Sequence[EventRecord]) -> Sequence[EventRecord]:
    with store.within(PATIENCE):
        return _store_and_enqueue(records)


_together: GroupCommit[EventRecord, EventRecord] = GroupCommit(_in_time, concerns_all=store.is_away)


def _accept(
    events: Sequence[Event],
    keys: Sequence[str | None],
    because: cause.Cause,
    depth: int | None,
    commit: Commit = _store_and_enqueue,
) -> list[str]:
    if not events:
        return []
    return [str(record.id) for record in commit(_records(events, keys, because, depth))]


def _records(
    events: Sequence[Event], keys: Sequence[str | None], because: cause.Cause, depth: int | None
) -> list[EventRecord]:
    if depth is None:
        depth = EventRecord.depth_of(object_id(because.event_id))
    places = positions.next_ones(len(events))
    return [
        _record(event, key, because, depth, place)
        for event, key, place in zip(events, keys, places, strict=True)
    ]


def _record(event: Event, key: str | None, because: cause.Cause, depth: int, position: int) -> EventRecord:
    record_id = ObjectId()
    return EventRecord(
        id=record_id,
        type=event.type,
        version=event.version,
        workspace_id=ObjectId(event.workspace_id),
        key=key,
        payload=event.payload(),
        correlation_id=because.correlation_id or str(record_id),
        causation_id=because.event_id,
        depth=depth,
        subject=event.subject,
        turn=event.subject,
        position=position,
        relay_at=now() + PENDING_FOR,
    )


def _job(record: EventRecord, *, at_front: bool) -> queues.enqueue.NewJob:
    return queues.enqueue.NewJob(
        queue=CRM_EVENTS,
        func=DISPATCHER,
        kwargs={"event_id": str(record.id), "event": _carried(record)},
        id=record.job_id,
        description=f"{record.type} {record.id}",
        meta={
            "event_id": str(record.id),
            "correlation_id": record.correlation_id,
            "workspace_id": str(record.workspace_id),
        },
        at_front=at_front,
    )


def _carried(record: EventRecord) -> dict[str, Any]:
    """What its job carries. What only passes through stays in the ledger, which is read anyway."""
    envelope = record.envelope()
    if is_passing(record.type):
        del envelope["payload"]
    return envelope
