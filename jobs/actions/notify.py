"""Tell a member something. Safe to run twice: a notice is given once per step."""

from __future__ import annotations

from typing import Any

from jobs.actions import members
from jobs.actions.step import Outcome, Step
from models.event import EventRecord
from models.notification import Notification
from models.store import object_id
from models.trigger_run import DONE
from services.automation.actions import Notify


def do(action: Notify, step: Step) -> Outcome:
    """Without a member named, and without an owner of the contact, every admin is told. Raises `NoMember`."""
    members.check(step.workspace_id, action.user_id)
    user_id = object_id(action.user_id) or step.owner_id
    Notification.notify(
        workspace_id=step.workspace_id,
        user_id=user_id,
        kind="automation",
        message=action.message,
        key=step.key,
        contact_id=step.contact_id,
    )
    return Outcome(DONE, f"told {user_id}" if user_id else "told the admins")


def obstacle(action: Notify, record: EventRecord, _facts: dict[str, Any]) -> str | None:
    """Whoever is named may have left."""
    return members.obstacle(record.workspace_id, action.user_id)
