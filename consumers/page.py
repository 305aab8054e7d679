"""Reactions to what visitors do on the tracked pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from bson import ObjectId

from consumers import activity
from consumers.registry import Delivery, Jobs, hands_on, reacts_to, takes_many
from models.visitor_event import VisitorEvent
from schemas.page import PageViewed

SHOWN = 200  # characters of a path in a title; the details hold the whole address

Seen = tuple[PageViewed, Delivery]


@reacts_to(PageViewed)
@takes_many
@hands_on
def log_page_view(views: Sequence[Seen]) -> Jobs:
    """Enter them in the timelines of visitors who are known by now. Safe to run twice: entered once."""
    seen = known(views)
    entries = [timeline_entry(event, delivery) for event, delivery in seen]
    return activity.all_logged(entries, seen[0][1]) if seen else []


def timeline_entry(event: PageViewed, delivery: Delivery) -> activity.Entry:
    """Of a view whose contact is known."""
    return activity.entry(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=str(event.contact_id),
        kind="page_viewed",
        title=f"Viewed {(urlsplit(event.url).path or '/')[:SHOWN]}",
        happened_at=moment(event, delivery),
        details={"url": event.url},
    )


def moment(event: PageViewed, delivery: Delivery) -> datetime:
    """When it was viewed: the visitor's clock may be fast."""
    return min(event.viewed_at, delivery.accepted_at)


def known(views: Sequence[Seen]) -> list[Seen]:
    """Those with a contact: a visitor may have been identified after the event was published."""
    late = [ObjectId(event.visit_id) for event, _ in views if not event.contact_id]
    found = VisitorEvent.contacts_of(late) if late else {}
    contacts = [event.contact_id or found.get(ObjectId(event.visit_id)) for event, _ in views]
    return [
        (event.model_copy(update={"contact_id": str(contact_id)}), delivery)
        for (event, delivery), contact_id in zip(views, contacts, strict=True)
        if contact_id
    ]
