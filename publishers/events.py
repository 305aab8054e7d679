"""publish(): record an event in the ledger, then put it on `crm-events`.

Once the ledger has it the event is accepted: when Redis is away the record stays `pending` and the relay
(publishers/relay.py) enqueues it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import structlog
from bson import ObjectId

import queues.enqueue
from models.event import EventRecord
from models.store import StoreError, object_id
from queues.names import CRM_EVENTS
from schemas.event import Event

# By name: a publisher knows no consumer.
DISPATCHER = "consumers.dispatch.handle"

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

    `key` instead of the event's own, for a cause that must publish it once. `depth`: how many automations led
    to it; by default as many as to the event that caused it, `causation_id`.
    Raises `models.store.StoreError` when the store is away: then nothing was accepted.
    """
    return _accept([event], [key or event.key], correlation_id, causation_id, depth)[0]


def publish_all(
    events: Sequence[Event], *, correlation_id: str | None = None, causation_id: str | None = None
) -> list[str]:
    """Accept several events with one store command; returns their ids in order."""
    return _accept(events, [event.key for event in events], correlation_id, causation_id, None)


def put_on_queue(records: Iterable[EventRecord]) -> int:
    """Enqueue recorded events; returns how many. With Redis away they stay `pending` and it says 0."""
    jobs = {record.id: _job(record) for record in records}
    if not jobs:
        return 0
    try:
        queues.enqueue.enqueue_many(list(jobs.values()))
    except queues.enqueue.RedisError as error:
        log.warning("⏸️  Redis is away: events stay pending", events=len(jobs), error=str(error))
        return 0
    with suppress(StoreError):  # accepted and enqueued all the same; the relay sees that its job is there
        EventRecord.mark_queued(jobs)
    return len(jobs)


def _accept(
    events: Sequence[Event],
    keys: Sequence[str | None],
    correlation_id: str | None,
    causation_id: str | None,
    depth: int | None,
) -> list[str]:
    if not events:
        return []
    if depth is None:
        depth = EventRecord.depth_of(object_id(causation_id))
    records = EventRecord.accept(
        [
            _record(event, key, correlation_id, causation_id, depth)
            for event, key in zip(events, keys, strict=True)
        ]
    )
    put_on_queue(record for record in records if record.status == "pending")
    return [str(record.id) for record in records]


def _record(
    event: Event, key: str | None, correlation_id: str | None, causation_id: str | None, depth: int
) -> EventRecord:
    record_id = ObjectId()
    return EventRecord(
        id=record_id,
        type=event.type,
        version=event.version,
        workspace_id=ObjectId(event.workspace_id),
        key=key,
        payload=event.payload(),
        correlation_id=correlation_id or str(record_id),
        causation_id=causation_id,
        depth=depth,
    )


def _job(record: EventRecord) -> queues.enqueue.NewJob:
    return queues.enqueue.NewJob(
        queue=CRM_EVENTS,
        func=DISPATCHER,
        kwargs={"event_id": str(record.id), "event": record.envelope()},
        id=f"event-{record.id}",
        description=f"{record.type} {record.id}",
        meta={
            "event_id": str(record.id),
            "correlation_id": record.correlation_id,
            "workspace_id": str(record.workspace_id),
        },
    )
