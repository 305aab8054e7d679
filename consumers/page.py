"""Reactions to what visitors do on the tracked pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from bson import ObjectId

from consumers import activity, automations
from consumers.registry import Delivery, reacts_to
from models.contact import Contact
from models.visitor_event import VisitorEvent
from schemas.page import PageViewed

SHOWN = 200  # characters of a path in a title; the details hold the whole address


@reacts_to(PageViewed)
def log_page_view(event: PageViewed, delivery: Delivery) -> None:
    """Enter it in the contact's timeline, if the visitor is known by now. Safe to run twice: entered once."""
    contact_id = _contact_id(event)
    if contact_id is None:
        return
    activity.log_later(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=str(contact_id),
        kind="page_viewed",
        title=f"Viewed {(urlsplit(event.url).path or '/')[:SHOWN]}",
        happened_at=min(event.viewed_at, delivery.accepted_at),  # the visitor's clock may be fast
        details={"url": event.url},
    )


@reacts_to(PageViewed)
def stamp_last_activity(event: PageViewed, delivery: Delivery) -> None:
    """Safe to run twice: the stamp only moves forward."""
    if contact_id := _contact_id(event):
        Contact.touch([contact_id], min(event.viewed_at, delivery.accepted_at))


@reacts_to(PageViewed)
def check_automations(event: PageViewed, delivery: Delivery) -> None:
    """Safe to run twice, see `automations.check`."""
    automations.check(event, delivery)


def _contact_id(event: PageViewed) -> ObjectId | None:
    """The visitor may have been identified after the event was published."""
    return (
        ObjectId(event.contact_id) if event.contact_id else VisitorEvent.contact_of(ObjectId(event.visit_id))
    )
