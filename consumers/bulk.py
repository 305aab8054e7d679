"""Publish many events of one kind and let the reactions handle them at once, in the job that runs already.

They stand in the ledger like all others, but cost a constant number of store commands, and no job. When a
reaction fails, or the job dies, each of them gets its own job after all, and is retried alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from rq.timeouts import JobTimeoutException

from consumers.registry import Delivered, Delivery, Reaction, reactions
from models.event import PENDING, EventRecord
from publishers import events
from schemas.event import Event

log = structlog.get_logger()


def publish(facts: Sequence[Event]) -> None:
    """Accept events whose order does not matter, and run what is to be done for those that are new.

    They are of one type and workspace, and no automation led to them. Safe to run twice: an event that is
    done is left alone.
    """
    records = events.record_all(facts, depth=0)
    waiting = [
        (fact, record) for fact, record in zip(facts, records, strict=True) if record.status == PENDING
    ]
    if waiting:
        _handle(waiting)


def _handle(waiting: Sequence[tuple[Event, EventRecord]]) -> None:
    records = [record for _, record in waiting]
    delivered = [
        (fact, Delivery(str(record.id), record.correlation_id, record.accepted_at))
        for fact, record in waiting
    ]
    try:
        names = _react(delivered)
    except JobTimeoutException:
        raise
    except Exception as error:  # noqa: BLE001 - raised again by the events' own jobs
        log.warning("⚠️  events are handled one by one", error=f"{type(error).__name__}: {error}")
        events.put_on_queue(records)
        return
    EventRecord.mark_all_done([record.id for record in records], names)


def _react(delivered: Sequence[Delivered]) -> dict[str, bool]:
    """Run every reaction for all of the events; returns for each whether it handed work on."""
    table = reactions(delivered[0][0].type)
    return {name: _run(reaction, delivered) for name, reaction in table.items()}


def _run(reaction: Reaction, delivered: Sequence[Delivered]) -> bool:
    if at_once := getattr(reaction, "at_once", None):
        return bool(at_once(delivered))
    outcomes = [reaction(fact, delivery) for fact, delivery in delivered]
    return any(outcomes)
