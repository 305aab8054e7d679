"""Reactions to mail: the automations. Timeline and stamps are the sync's own, since they cost it less."""

from __future__ import annotations

from consumers import automations
from consumers.registry import Delivery, reacts_to
from schemas.email import EmailBounced, EmailEvent, EmailForwarded, EmailReceived, EmailReplied


@reacts_to(EmailReceived, EmailReplied, EmailForwarded, EmailBounced)
def check_automations(event: EmailEvent, delivery: Delivery) -> None:
    automations.check(event, delivery)
