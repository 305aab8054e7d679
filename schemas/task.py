"""Events of a task."""

from __future__ import annotations

from schemas.event import Event, Id, Moment, register


class TaskEvent(Event):
    about = ("task_id",)

    task_id: Id
    contact_id: Id | None = None
    deal_id: Id | None = None
    assigned_to: Id | None = None


@register
class TaskCreated(TaskEvent):
    """Somebody has something to do."""

    type = "task.created"
    unique_by = ("task_id",)

    due_at: Moment | None = None


@register
class TaskCompleted(TaskEvent):
    """A task is done."""

    type = "task.completed"
    unique_by = ("task_id", "completed_at")  # it may be opened again

    completed_at: Moment
    completed_by: Id | None = None  # None: the system


@register
class TaskOverdue(TaskEvent):
    """A task was due and is not done."""

    type = "task.overdue"
    unique_by = ("task_id", "due_at")

    due_at: Moment
