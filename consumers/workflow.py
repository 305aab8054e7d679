"""Reactions to an automation that has run: the automations that wait for it."""

from __future__ import annotations

from consumers import automations
from consumers.registry import Delivery, reacts_to
from schemas.workflow import WorkflowCompleted


@reacts_to(WorkflowCompleted)
def check_automations(event: WorkflowCompleted, delivery: Delivery) -> None:
    """Safe to run twice, see `automations.check`."""
    automations.check(event, delivery)
