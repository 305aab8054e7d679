"""The timeline: reactions hand their entries to `crm-activity-log`, whose job writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from consumers.registry import Delivery
from models.activity import Activity
from queues.enqueue import NewJob, enqueue
from queues.names import CRM_ACTIVITY_LOG

Entry = dict[str, Any]


def entry(
    delivery: Delivery,
    *,
    workspace_id: str,
    contact_id: str,
    kind: str,
    title: str,
    happened_at: datetime | None = None,
    details: dict[str, Any] | None = None,
) -> Entry:
    """The one entry of an event and contact, as plain JSON."""
    return {
        "workspace_id": workspace_id,
        "contact_id": contact_id,
        "kind": kind,
        "title": title,
        "source": f"event:{delivery.event_id}:{contact_id}",
        "happened_at": (happened_at or delivery.accepted_at).isoformat(),
        "details": details or {},
    }


def log_later(delivery: Delivery, **fields: Any) -> None:
    """Enqueue one timeline entry, of the fields of `entry`. Safe to run twice: job and entry are unique."""
    made = entry(delivery, **fields)
    enqueue(
        NewJob(
            queue=CRM_ACTIVITY_LOG,
            func="consumers.activity.record",
            id=f"activity-{delivery.event_id}-{made['contact_id']}",
            kwargs=made,
            description=f"timeline entry {made['kind']}",
            meta={**delivery.meta, "workspace_id": made["workspace_id"]},
        )
    )


def log_all(entries: Sequence[Entry], delivery: Delivery) -> None:
    """Enqueue many entries of one workspace as one job. Safe to run twice, like `log_later`."""
    first = hashlib.sha256(entries[0]["source"].encode()).hexdigest()[:24]
    enqueue(
        NewJob(
            queue=CRM_ACTIVITY_LOG,
            func="consumers.activity.record_all",
            id=f"activities-{delivery.event_id}-{first}",
            kwargs={"entries": list(entries)},
            description=f"{len(entries)} timeline entries",
            meta={**delivery.meta, "workspace_id": entries[0]["workspace_id"]},
        )
    )


def record(workspace_id: str, contact_id: str, happened_at: str, **fields: Any) -> bool:
    """Write one timeline entry; returns whether it is new. Safe to run twice: its source is unique."""
    return Activity.record(**_stored(workspace_id, contact_id, happened_at, **fields))


def record_all(entries: list[Entry]) -> int:
    """Write many entries with one store command; returns how many are new. Safe as `record` is."""
    return Activity.record_all([_stored(**fields) for fields in entries])


def _stored(workspace_id: str, contact_id: str, happened_at: str, **fields: Any) -> dict[str, Any]:
    """An entry as the store keeps it."""
    at = datetime.fromisoformat(happened_at)
    return {
        **fields,
        "workspace_id": ObjectId(workspace_id),
        "contact_id": ObjectId(contact_id),
        "happened_at": at,
    }
