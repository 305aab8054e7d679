"""Whether what an automation names by its id is there, and in the same workspace."""

from __future__ import annotations

from collections.abc import Iterator

from bson import ObjectId
from werkzeug.exceptions import UnprocessableEntity

import config
from models.email_account import EmailAccount
from models.sequence import Sequence
from models.workspace import Workspace
from services.automation.actions import (
    Action,
    CreateTask,
    EnrollInSequence,
    Notify,
    SendEmail,
    UpdateContact,
    Webhook,
)
from services.automation.definition import Definition


def check(workspace_id: ObjectId, definition: Definition) -> None:
    """Raise 422 naming every field with an id that leads nowhere."""
    faults = [
        f"actions.{place}.{fault}"
        for place, action in enumerate(definition.actions)
        for fault in _faults(workspace_id, action)
    ]
    if faults:
        raise UnprocessableEntity("; ".join(faults))


def _faults(workspace_id: ObjectId, action: Action) -> Iterator[str]:
    match action:
        case Notify(user_id=str(user_id)) if not _has_member(workspace_id, user_id):
            yield f"userId: no member {user_id} in this workspace"
        case CreateTask(assigned_to=str(user_id)) if not _has_member(workspace_id, user_id):
            yield f"assignedTo: no member {user_id} in this workspace"
        case UpdateContact() if (owner := action.fields.assigned_to) and not _has_member(workspace_id, owner):
            yield f"fields.assignedTo: no member {owner} in this workspace"
        case SendEmail(account_id=str(account_id)) if not _has_mailbox(workspace_id, account_id):
            yield f"accountId: no mailbox {account_id} with an SMTP server in this workspace"
        case EnrollInSequence(sequence_id=sequence_id) if not Sequence.of(
            workspace_id, ObjectId(sequence_id)
        ):
            yield f"sequenceId: no sequence {sequence_id} in this workspace"
        case Webhook() if not config.settings().webhook_secret:
            yield "url: webhooks are off here; the operator must set WEBHOOK_SECRET, which signs them"


def _has_member(workspace_id: ObjectId, user_id: str) -> bool:
    return Workspace.has_member(workspace_id, ObjectId(user_id))


def _has_mailbox(workspace_id: ObjectId, account_id: str) -> bool:
    mine = EmailAccount.objects(id=ObjectId(account_id), workspace_id=workspace_id, smtp__ne=None)
    return mine.only("id").first() is not None
