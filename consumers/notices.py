"""Notices that events bring about, in the CRM."""

from __future__ import annotations

from bson import ObjectId

from consumers.registry import Delivery
from models.notification import Notification
from models.store import object_id


def tell(
    delivery: Delivery,
    *,
    workspace_id: str,
    user_id: str | ObjectId | None,
    kind: str,
    message: str,
    contact_id: str | None = None,
) -> None:
    """Tell a member, or with None every admin. Safe to run twice: once per event and member."""
    Notification.notify(
        workspace_id=ObjectId(workspace_id),
        user_id=object_id(user_id),
        kind=kind,
        message=message,
        key=f"event:{delivery.event_id}:{user_id or 'admins'}",
        contact_id=object_id(contact_id),
    )
