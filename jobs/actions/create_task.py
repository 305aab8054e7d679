"""Create a task for a member. Safe to run twice: a task is created once per step."""

from __future__ import annotations

from jobs.actions.step import Outcome, Step
from models.store import object_id
from models.task import Task
from models.trigger_run import DONE
from services.automation.actions import CreateTask


def do(action: CreateTask, step: Step) -> Outcome:
    assigned_to = object_id(action.assigned_to) or step.owner_id
    Task.create_once(
        workspace_id=step.workspace_id,
        contact_id=step.contact_id,
        assigned_to=assigned_to,
        title=action.title,
        key=step.key,
    )
    return Outcome(DONE, f"task for {assigned_to}" if assigned_to else "task for nobody yet")
