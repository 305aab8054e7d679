"""What an automation's action does: one file per type. Each effect has the step's key, so it happens once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.actions import create_task, enroll_in_sequence, notify, send_email, update_contact, webhook
from jobs.actions.step import Outcome, Step
from services.automation.actions import Action

__all__ = ["DO", "Outcome", "Step", "do"]

DO: dict[str, Callable[[Any, Step], Outcome]] = {
    "send_email": send_email.do,
    "create_task": create_task.do,
    "webhook": webhook.do,
    "update_contact": update_contact.do,
    "enroll_in_sequence": enroll_in_sequence.do,
    "notify": notify.do,
}


def do(action: Action, step: Step) -> Outcome:
    """Do an action whose variables are filled. Safe to run twice, as each of them is."""
    return DO[action.type](action, step)
