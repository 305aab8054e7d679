"""Event payloads, versioned: what may travel on a queue. Importing this package registers every event."""

from schemas import (
    activity,
    contact,
    deal,
    demo,
    email,
    form,
    integration,
    intent,
    meeting,
    opportunity,
    page,
    sequence,
    task,
    visitor,
    visits,
    workflow,
)

__all__ = [
    "activity",
    "contact",
    "deal",
    "demo",
    "email",
    "form",
    "integration",
    "intent",
    "meeting",
    "opportunity",
    "page",
    "sequence",
    "task",
    "visitor",
    "visits",
    "workflow",
]
