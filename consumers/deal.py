"""Reactions to the silence of a deal."""

from __future__ import annotations

from bson import ObjectId

from consumers import activity, named, notices
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.deal import Deal
from models.silence import task_key
from models.store import now, object_id
from models.task import Task
from publishers import silence, tasks
from schemas.deal import DealStale


@reacts_to(DealStale)
@hands_on
def log_silence(event: DealStale, delivery: Delivery) -> Jobs:
    """Enter it in the timelines of the deal and its contact. Safe to run twice: entered once."""
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        deal_id=event.deal_id,
        kind="deal_stale",
        title=f"Nothing has happened since {event.quiet_since:%d %B %Y}",
        details={"dealId": event.deal_id, "level": event.level},
    )


@reacts_to(DealStale)
def tell_owner(event: DealStale, delivery: Delivery) -> None:
    """The owner, or the admins when it has none or is at risk; nobody when something has happened since.

    Safe to run twice: told once.
    """
    if _is_over(event):
        return
    message = f"Nothing has happened with {_title(event)} since {event.quiet_since:%d %B %Y}"
    for user_id in {event.assigned_to, None} if event.level == "at_risk" else {event.assigned_to}:
        notices.tell(
            delivery,
            workspace_id=event.workspace_id,
            user_id=user_id,
            kind=f"deal_{event.level}",
            message=message,
            contact_id=event.contact_id,
        )


@reacts_to(DealStale)
def create_task(event: DealStale, _delivery: Delivery) -> None:
    """Somebody should be in touch, unless something has happened since.

    Safe to run twice: one task per quiet spell, and one event per task. Whoever ends the quiet spell closes
    its task after the deal has changed; so it is looked at once more after the task is there.
    """
    if _is_over(event):
        return
    key = task_key(ObjectId(event.deal_id), event.quiet_since)
    task = Task.create_once(
        workspace_id=ObjectId(event.workspace_id),
        contact_id=object_id(event.contact_id),
        assigned_to=object_id(event.assigned_to),
        title=f"Get in touch about {_title(event)}",
        key=key,
        deal_id=ObjectId(event.deal_id),
    )
    tasks.created(task, deal_id=task.deal_id)
    if _is_over(event):
        silence.complete([key], now())


def _is_over(event: DealStale) -> bool:
    """Something has happened with the deal since, or it is closed."""
    deal = named.find(Deal, event, event.deal_id, "status", "last_activity_at")
    if deal is None:
        return False
    return deal.status != "open" or (deal.last_activity_at or event.quiet_since) > event.quiet_since


def _title(event: DealStale) -> str:
    deal = named.find(Deal, event, event.deal_id, "title")
    return deal.title if deal else "a deal"
