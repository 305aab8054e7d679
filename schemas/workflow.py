"""Events of the automations."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, register


@register
class WorkflowCompleted(Event):
    """An automation has run for an event, each of its actions done or given up; told anew once repaired."""

    type = "workflow.completed"
    unique_by = ("trigger_id", "event_id", "outcome")
    about = ("contact_id", "trigger_id")

    trigger_id: Id
    event_id: Id  # the event that set it off
    contact_id: Id | None = None
    outcome: Literal["succeeded", "failed"]
