"""What an automation's action does: one file per type. Each effect has the step's key, so it happens once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.actions import create_task, enroll_in_sequence, notify, send_email, update_contact, webhook
from jobs.actions.step import Outcome, Step
from models.event import EventRecord
from services.automation.actions import Action

__all__ = ["DO", "Outcome", "Step", "do", "obstacle"]

DO: dict[str, Callable[[Any, Step], Outcome]] = {
    "send_email": send_email.do,
    "create_task": create_task.do,
    "webhook": webhook.do,
    "update_contact": update_contact.do,
    "enroll_in_sequence": enroll_in_sequence.do,
    "notify": notify.do,
}


# What is known before an action is done, beside the contact and the variables, and keeps it from being done.
OBSTACLES: dict[str, Callable[[Any, EventRecord, dict[str, Any]], str | None]] = {
    "send_email": send_email.obstacle,
    "webhook": webhook.obstacle,
    "enroll_in_sequence": enroll_in_sequence.obstacle,
    "create_task": create_task.obstacle,
    "update_contact": update_contact.obstacle,
    "notify": notify.obstacle,
}


def obstacle(action: Action, record: EventRecord, facts: dict[str, Any]) -> str | None:
    """Why the action could not be done for the event now; None when nothing is in its way."""
    return OBSTACLES[action.type](action, record, facts)


def do(action: Action, step: Step) -> Outcome:
    """Do an action whose variables are filled. Safe to run twice, as each of them is."""
    return DO[action.type](action, step)
