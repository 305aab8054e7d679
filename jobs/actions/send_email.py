"""Write to the contact. Safe to run twice, see `jobs/single_mail.py`."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from jobs import single_mail
from jobs.actions.step import Outcome, Step, owner_of
from models.contact import Contact
from models.email_account import EmailAccount
from models.event import EventRecord
from models.store import object_id
from models.suppression import Suppression
from models.trigger_run import DONE, FAILED, SKIPPED
from services.automation import unanswered
from services.automation.actions import SendEmail

ENDS = {
    "sent": Outcome(DONE, "sent"),
    "refused": Outcome(FAILED, "the contact's mail server refused it"),
    "unknown": Outcome(
        FAILED, "the connection broke while the server took it: it may be sent, so it is not sent again"
    ),
    "unsubscribed": Outcome(SKIPPED, "the contact unsubscribed, so it gets no mail"),
    "unreachable": Outcome(SKIPPED, "mail to the contact's address came back for good, so none is sent"),
}


def do(action: SendEmail, step: Step) -> Outcome:
    """Raises `CannotSend` and the mailbox's own errors."""
    if why := why_unanswered(step.record):
        return Outcome(SKIPPED, why)
    contact = Contact.objects(id=step.contact_id, workspace_id=step.workspace_id).first()
    if contact is None:
        return Outcome(SKIPPED, "the contact was deleted")
    status = single_mail.send_once(
        key=step.key,
        name=step.key,
        account=_sender(action, step.workspace_id, step.owner_id),
        contact=contact,
        subject=" ".join(action.subject.split()),  # a field may hold a line break; a header must not
        text=action.body,
    )
    return ENDS[status]


def why_unanswered(record: EventRecord) -> str | None:
    """Why no mail may follow the event, or one that brought it about: else an automation on what another one
    does would answer a machine after all. None when mail may follow. One query for each event before it.
    """
    cause: EventRecord | None = record
    while cause:
        if why := unanswered.reason({"type": cause.type, **cause.payload}):
            return why
        before = object_id(cause.causation_id)
        cause = EventRecord.objects(id=before).first() if before else None
    return None


def obstacle(action: SendEmail, record: EventRecord, facts: dict[str, Any]) -> str | None:
    """What keeps the mail from being sent, as far as it is known before."""
    if why := why_unanswered(record):
        return why
    try:
        _sender(action, record.workspace_id, owner_of(facts))
    except single_mail.CannotSend as error:
        return str(error)
    suppressed = Suppression.of(record.workspace_id, facts["contact"]["email"])
    return ENDS[suppressed.reason].note if suppressed else None


def _sender(action: SendEmail, workspace_id: ObjectId, owner_id: ObjectId | None) -> EmailAccount:
    account_id = object_id(action.account_id) or _account_of(workspace_id, owner_id)
    return single_mail.sender(account_id, workspace_id, "automation")


def _account_of(workspace_id: ObjectId, owner_id: ObjectId | None) -> ObjectId:
    account_id = EmailAccount.sender_of(workspace_id, owner_id) if owner_id else None
    if account_id is None:
        raise single_mail.CannotSend(
            "the contact's owner has no mailbox that can send: name one in the automation, or connect one"
        )
    return account_id
