"""Create a task for a member, and tell. Safe to run twice: a task is created once per step."""

from __future__ import annotations

from typing import Any

from jobs.actions import members
from jobs.actions.step import Outcome, Step
from models.event import EventRecord
from models.store import object_id
from models.task import Task
from models.trigger_run import DONE
from publishers import events
from schemas.task import TaskCreated
from services.automation.actions import CreateTask


def do(action: CreateTask, step: Step) -> Outcome:
    """Raises `NoMember`."""
    members.check(step.workspace_id, action.assigned_to)
    assigned_to = object_id(action.assigned_to) or step.owner_id
    task = Task.create_once(
        workspace_id=step.workspace_id,
        contact_id=step.contact_id,
        assigned_to=assigned_to,
        title=action.title,
        key=step.key,
    )
    _announce(task, step)
    return Outcome(DONE, f"task for {assigned_to}" if assigned_to else "task for nobody yet")


def obstacle(action: CreateTask, record: EventRecord, _facts: dict[str, Any]) -> str | None:
    """Whoever is named may have left."""
    return members.obstacle(record.workspace_id, action.assigned_to)


def _announce(task: Task, step: Step) -> None:
    events.publish(
        TaskCreated(
            workspace_id=str(step.workspace_id),
            task_id=str(task.id),
            contact_id=str(task.contact_id) if task.contact_id else None,
            deal_id=step.facts["deal"].get("id"),
            assigned_to=str(task.assigned_to) if task.assigned_to else None,
        ),
        **step.caused,
    )
