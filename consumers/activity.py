"""The timeline: reactions hand their entries to `crm-activity-log`, whose job writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId

from consumers.registry import Delivery
from models.activity import Activity
from queues.enqueue import NewJob, enqueue
from queues.names import CRM_ACTIVITY_LOG


def log_later(
    delivery: Delivery,
    *,
    workspace_id: str,
    contact_id: str,
    kind: str,
    title: str,
    happened_at: datetime | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Enqueue one timeline entry per event and contact. Safe to run twice: job and entry are unique."""
    entry = {
        "workspace_id": workspace_id,
        "contact_id": contact_id,
        "kind": kind,
        "title": title,
        "source": f"event:{delivery.event_id}:{contact_id}",
        "happened_at": (happened_at or delivery.accepted_at).isoformat(),
        "details": details or {},
    }
    enqueue(
        NewJob(
            queue=CRM_ACTIVITY_LOG,
            func="consumers.activity.record",
            id=f"activity-{delivery.event_id}-{contact_id}",
            kwargs=entry,
            description=f"timeline entry {kind}",
            meta={**delivery.meta, "workspace_id": workspace_id},
        )
    )


def record(workspace_id: str, contact_id: str, happened_at: str, **entry: Any) -> bool:
    """Write one timeline entry; returns whether it is new. Safe to run twice: its source is unique."""
    at = datetime.fromisoformat(happened_at)
    return Activity.record(
        workspace_id=ObjectId(workspace_id), contact_id=ObjectId(contact_id), happened_at=at, **entry
    )
