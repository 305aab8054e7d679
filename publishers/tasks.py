"""What happens to a task. Safe to repeat."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId

from models.store import id_text
from models.task import Task
from publishers.events import announce
from schemas.task import TaskCompleted, TaskCreated, TaskOverdue


def created(task: Task, *, due_at: datetime | None = None, deal_id: ObjectId | None = None) -> None:
    announce(TaskCreated(**_of(task, deal_id), due_at=due_at))


def completed(
    task: Task, *, at: datetime, by: ObjectId | None = None, deal_id: ObjectId | None = None
) -> None:
    """`by`: the user who did it; None for the system."""
    done_by = str(by) if by else None
    announce(TaskCompleted(**_of(task, deal_id), completed_at=at, completed_by=done_by))


def overdue(task: Task, *, due_at: datetime, deal_id: ObjectId | None = None) -> None:
    announce(TaskOverdue(**_of(task, deal_id), due_at=due_at))


def _of(task: Task, deal_id: ObjectId | None) -> dict[str, Any]:
    return {
        "workspace_id": str(task.workspace_id),
        "task_id": str(task.id),
        "contact_id": id_text(task.contact_id),
        "deal_id": str(deal_id) if deal_id else None,
        "assigned_to": id_text(task.assigned_to),
    }
