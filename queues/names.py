"""The queues and their options: the one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Priority(IntEnum):
    HIGH = 1
    MEDIUM = 2
    LOW = 3


@dataclass(frozen=True)
class QueueOptions:
    name: str
    purpose: str
    priority: Priority
    timeout: int = 180  # seconds a job may run
    retry_waits: tuple[int, ...] = (1, 5, 30)  # seconds before each retry; then it is a dead letter
    max_per_second: float | None = None  # starts, all workers together; None: as settings say
    max_running: int = 0  # jobs at once, all workers together; 0 = no limit


CRM_EVENTS = "crm-events"
CRM_WORKFLOW_BRIDGE = "crm-workflow-bridge"
EMAIL_SYNC = "email-sync"
INTEGRATIONS = "integrations"
AI_JOBS = "ai-jobs"
CRM_ACTIVITY_LOG = "crm-activity-log"
ANALYTICS = "analytics"

QUEUES: dict[str, QueueOptions] = {
    options.name: options
    for options in (
        QueueOptions(CRM_EVENTS, "domain events", Priority.HIGH),
        QueueOptions(CRM_WORKFLOW_BRIDGE, "automations to run", Priority.HIGH),
        # A first sync of a large mailbox takes minutes.
        QueueOptions(EMAIL_SYNC, "mailboxes in, e-mails out", Priority.MEDIUM, timeout=600),
        QueueOptions(INTEGRATIONS, "Apollo, Sheets, OAuth tokens", Priority.MEDIUM),
        QueueOptions(AI_JOBS, "briefings and insights", Priority.MEDIUM),
        QueueOptions(CRM_ACTIVITY_LOG, "timeline entries", Priority.LOW),
        QueueOptions(ANALYTICS, "decay, lifecycle, recycling, roll-ups", Priority.LOW, timeout=600),
    )
}

BY_PRIORITY: list[str] = sorted(QUEUES, key=lambda name: QUEUES[name].priority)


class UnknownQueue(ValueError):
    """A queue that is not in the table."""


def options(name: str) -> QueueOptions:
    """The options of a queue. Raises `UnknownQueue` naming those that exist."""
    if name not in QUEUES:
        raise UnknownQueue(f"there is no queue {name!r}; there are: {', '.join(QUEUES)}")
    return QUEUES[name]
