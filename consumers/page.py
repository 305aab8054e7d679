"""Reactions to what visitors do on the tracked pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bson import ObjectId

from consumers import activity
from consumers.registry import Delivery, reacts_to
from models.visitor_event import VisitorEvent
from schemas.page import PageViewed

SHOWN = 200  # characters of a path in a title; the details hold the whole address


@reacts_to(PageViewed)
def log_page_view(event: PageViewed, delivery: Delivery) -> None:
    """Enter it in the contact's timeline, if the visitor is known by now. Safe to run twice: entered once."""
    if found := contact_id(event):
        known = event.model_copy(update={"contact_id": str(found)})
        activity.log_later(delivery, **_entry(known, delivery))


def timeline_entry(event: PageViewed, delivery: Delivery) -> activity.Entry:
    """Of a view whose contact is known."""
    return activity.entry(delivery, **_entry(event, delivery))


def moment(event: PageViewed, delivery: Delivery) -> datetime:
    """When it was viewed: the visitor's clock may be fast."""
    return min(event.viewed_at, delivery.accepted_at)


def _entry(event: PageViewed, delivery: Delivery) -> dict[str, Any]:
    return {
        "workspace_id": event.workspace_id,
        "contact_id": event.contact_id,
        "kind": "page_viewed",
        "title": f"Viewed {(urlsplit(event.url).path or '/')[:SHOWN]}",
        "happened_at": moment(event, delivery),
        "details": {"url": event.url},
    }


def contact_id(event: PageViewed) -> ObjectId | None:
    """Whose view it is: the visitor may have been identified after the event was published."""
    return (
        ObjectId(event.contact_id) if event.contact_id else VisitorEvent.contact_of(ObjectId(event.visit_id))
    )
