"""Reactions to meetings."""

from __future__ import annotations

from consumers import activity, named, notices
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.contact import Contact
from schemas.meeting import MeetingScheduled, MeetingUpcoming


@reacts_to(MeetingScheduled)
@hands_on
def log_meeting(event: MeetingScheduled, delivery: Delivery) -> Jobs:
    """Enter it in the timelines of its contact and deal. Safe to run twice: entered once."""
    if not (event.contact_id or event.deal_id):
        return []
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        deal_id=event.deal_id,
        kind="meeting_scheduled",
        title=f"Meeting agreed on for {event.starts_at:%d %B %Y, %H:%M} UTC",
        details={"meetingId": event.meeting_id, "startsAt": event.starts_at.isoformat()},
    )


@reacts_to(MeetingScheduled)
def stamp_last_activity(event: MeetingScheduled, delivery: Delivery) -> None:
    """Of the contact, its open deals and the deal. Safe to run twice: the stamps only move forward."""
    at, mine = delivery.accepted_at, event.workspace_id
    activity.stamp(at, workspace_id=mine, contact_id=event.contact_id, deal_id=event.deal_id)


@reacts_to(MeetingUpcoming)
def tell_owner(event: MeetingUpcoming, delivery: Delivery) -> None:
    """The owner of the contact, if it has one. Safe to run twice: told once."""
    contact = named.find(Contact, event, event.contact_id)
    if contact is None or contact.assigned_to is None:
        return
    prepared = "; the briefing is ready" if event.briefing_id else ""
    notices.tell(
        delivery,
        workspace_id=event.workspace_id,
        user_id=contact.assigned_to,
        kind="meeting_upcoming",
        message=f"Meeting with {contact.full_name} at {event.starts_at:%H:%M} UTC{prepared}",
        contact_id=event.contact_id,
    )
