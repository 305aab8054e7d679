"""Time that passes for events in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from models import store
from models.event import QUEUED_FOR, EventRecord

LONG_AGO = QUEUED_FOR * 2


def age(ids: Iterable[object], by: timedelta = LONG_AGO) -> None:
    """They were accepted, and the relay is to look after them, so much earlier; in the order of their ids."""
    for number, event_id in enumerate(ids):
        record = EventRecord.objects.get(id=event_id)
        earlier = by - timedelta(milliseconds=number)
        change = {"set__accepted_at": record.accepted_at - earlier}
        if record.relay_at:
            change["set__relay_at"] = record.relay_at - earlier
        EventRecord.objects(id=event_id).update_one(**change)


def make_due() -> None:
    """The relay looks after every open event now."""
    EventRecord.objects(relay_at__exists=True).update(set__relay_at=store.now())
