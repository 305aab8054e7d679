"""How automations and their runs look over the wire."""

from __future__ import annotations

from typing import Any

from models.trigger import Trigger, TriggerCondition
from models.trigger_run import RunStep, TriggerRun
from services.automation import actions
from services.automation.definition import Definition
from web.workspaces.wire import time


def trigger(found: Trigger) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "name": found.name,
        "eventType": found.event_type,
        "conditions": [
            {"field": c.field, "operator": c.operator, "value": c.value} for c in found.conditions
        ],
        "actions": [actions.current(action) for action in found.actions],
        "isActive": found.is_active,
        "maxRunsPerMinute": found.max_runs_per_minute,
        "createdAt": time(found.created_at),
        "updatedAt": time(found.updated_at),
    }


def stored(given: Definition) -> dict[str, Any]:
    """A definition as the fields of a `Trigger`."""
    return {
        "name": given.name,
        "event_type": given.event_type,
        "conditions": [
            TriggerCondition(field=c.field, operator=c.operator, value=c.value) for c in given.conditions
        ],
        "actions": [action.wire() for action in given.actions],
        "is_active": given.is_active,
        "max_runs_per_minute": given.max_runs_per_minute,
    }


def run(found: TriggerRun) -> dict[str, Any]:
    return {
        "id": found.id,
        "status": found.status,
        "reason": found.reason,
        "eventId": str(found.event_id),
        "eventType": found.event_type,
        "contactId": str(found.contact_id) if found.contact_id else None,
        "correlationId": found.correlation_id,
        "depth": found.depth,
        "createdAt": time(found.created_at),
        "actions": [_step(step) for step in found.steps],
    }


def _step(step: RunStep) -> dict[str, Any]:
    return {
        "type": step.kind,
        "status": step.status,
        "note": step.note,
        "error": step.error,
        "tries": step.tries,
        "seconds": step.seconds,
        "endedAt": time(step.ended_at),
    }
