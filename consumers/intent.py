"""Reactions to another level of interest."""

from __future__ import annotations

from consumers import activity, named, notices
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.contact import Contact
from schemas.intent import IntentThresholdCrossed

ORDER = ("low", "medium", "high")


@reacts_to(IntentThresholdCrossed)
@hands_on
def log_level(event: IntentThresholdCrossed, delivery: Delivery) -> Jobs:
    """Enter it in the contact's timeline. Safe to run twice: entered once."""
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="intent_threshold_crossed",
        title=f"Interest {'rose' if _rose(event) else 'fell'} to {event.level}",
        details={"level": event.level, "previousLevel": event.previous_level, "score": event.score},
    )


@reacts_to(IntentThresholdCrossed)
def tell_owner(event: IntentThresholdCrossed, delivery: Delivery) -> None:
    """When it rose to high, and the contact has an owner. Safe to run twice: told once."""
    if event.level != "high" or not _rose(event):
        return
    contact = named.find(Contact, event, event.contact_id)
    if contact is None or contact.assigned_to is None:
        return
    notices.tell(
        delivery,
        workspace_id=event.workspace_id,
        user_id=contact.assigned_to,
        kind="intent_high",
        message=f"{contact.full_name} shows high interest ({event.score} points)",
        contact_id=event.contact_id,
    )


def _rose(event: IntentThresholdCrossed) -> bool:
    return ORDER.index(event.level) > ORDER.index(event.previous_level)
