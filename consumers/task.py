"""Reactions to what becomes of a task."""

from __future__ import annotations

from consumers import activity, named, notices
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.task import Task
from schemas.task import TaskCompleted, TaskCreated, TaskOverdue


@reacts_to(TaskCreated, TaskCompleted)
@hands_on
def log_task(event: TaskCreated | TaskCompleted, delivery: Delivery) -> Jobs:
    """Enter it in the timelines of its contact and deal. Safe to run twice: entered once."""
    title = _title(event)
    if title is None or not (event.contact_id or event.deal_id):
        return []
    is_done = isinstance(event, TaskCompleted)
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        deal_id=event.deal_id,
        kind=event.type.replace(".", "_"),
        title=f"{'Task done' if is_done else 'Task'}: {title}",
        happened_at=event.completed_at if isinstance(event, TaskCompleted) else None,
        details={"taskId": event.task_id},
    )


@reacts_to(TaskCreated, TaskOverdue)
def tell_assignee(event: TaskCreated | TaskOverdue, delivery: Delivery) -> None:
    """Who has to do it. Safe to run twice: told once."""
    title = _title(event)
    if title is None or event.assigned_to is None:
        return
    is_late = isinstance(event, TaskOverdue)
    message = f"{'Overdue' if is_late else 'For you'}: {title}"
    notices.tell_named(event, delivery, event.assigned_to, kind=event.type.replace(".", "_"), message=message)


def _title(event: TaskCreated | TaskCompleted | TaskOverdue) -> str | None:
    """None: it was deleted since."""
    task = named.find(Task, event, event.task_id, "title")
    return task.title if task else None
