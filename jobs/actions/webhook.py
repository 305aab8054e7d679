"""Tell a URL of the workspace what happened: a POST that is signed with the workspace's own secret.

Delivered at least once: when a worker dies between the receiver's answer and our record of it, the receiver
gets the same X-Clianta-Delivery a second time.
"""

from __future__ import annotations

import json
from typing import Any

from jobs.actions.step import Outcome, Step
from models.event import EventRecord
from models.trigger_run import DONE
from services import webhook
from services.automation.actions import Webhook


def do(action: Webhook, step: Step) -> Outcome:
    """Raises as `webhook.send`: refused for good, or to be tried again."""
    secret = webhook.secret_of(str(step.workspace_id))
    status = webhook.send(action.url, json.dumps(body(action, step)).encode(), step.key, secret)
    return Outcome(DONE, f"the receiver answered {status}")


def obstacle(_action: Webhook, record: EventRecord, _facts: dict[str, Any]) -> str | None:
    """The receiver is not asked."""
    try:
        webhook.secret_of(str(record.workspace_id))
    except webhook.WebhookRefused as error:
        return str(error)
    return None


def body(action: Webhook, step: Step) -> dict[str, Any]:
    """What the receiver gets; `contact` is null when the event has none.

    With the first two it says what brought its events about when it tells us of some, see
    `web/workspaces/cause.py`: so it cannot set off automations without end.
    """
    return {
        "causationId": str(step.record.id),
        "correlationId": step.run.correlation_id,
        "depth": step.run.depth,
        "workspaceId": str(step.workspace_id),
        "automation": {"id": str(step.run.trigger_id), "name": step.name},
        "event": {
            "id": str(step.record.id),
            "type": step.record.type,
            "version": step.record.version,
            "acceptedAt": step.record.accepted_at.isoformat(),
            "payload": dict(step.record.payload),
        },
        "contact": step.facts["contact"] or None,
        "data": action.data,
    }
