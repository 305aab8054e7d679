"""Notices that events bring about, in the CRM."""

from __future__ import annotations

from bson import ObjectId

from consumers.registry import Delivery
from models.notification import Notification
from models.store import object_id
from models.workspace import Workspace
from schemas.contact import ContactOwnerAssigned
from schemas.task import TaskEvent


def tell_named(
    event: TaskEvent | ContactOwnerAssigned, delivery: Delivery, user_id: str, *, kind: str, message: str
) -> None:
    """As `tell`, whom the event itself names, about its contact: nobody who is no member of the workspace."""
    if not Workspace.has_member(ObjectId(event.workspace_id), ObjectId(user_id)):
        return
    tell(
        delivery,
        workspace_id=event.workspace_id,
        user_id=user_id,
        kind=kind,
        message=message,
        contact_id=event.contact_id,
    )


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
