"""Reactions to what people do with mail. What mailboxes receive is in the timeline before its event is out,
see `jobs.email_announce`.
"""

from __future__ import annotations

from bson import ObjectId

from consumers import activity
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.contact import Contact
from models.suppression import Suppression
from schemas.email import EmailBounced, EmailClicked, EmailOpened, EmailUnsubscribed

METHODS = {
    "one_click": "with one click",
    "page": "on the page",
    "reply": "by a reply",
    "manual": "by request",
}


@reacts_to(EmailOpened, EmailClicked)
@hands_on
def log_hit(event: EmailOpened | EmailClicked, delivery: Delivery) -> Jobs:
    """Machines' are shown, too, as theirs. Safe to run twice: entered once."""
    is_click = isinstance(event, EmailClicked)
    done = "Followed a link in an e-mail" if is_click else "Opened an e-mail"
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind=event.type.replace(".", "_"),
        title=f"{done} (a mail scanner)" if event.is_machine else done,
        happened_at=event.clicked_at if isinstance(event, EmailClicked) else event.opened_at,
        details={"attemptId": event.attempt_id, "url": getattr(event, "url", None)},
    )


@reacts_to(EmailUnsubscribed)
def suppress_mail(event: EmailUnsubscribed, _delivery: Delivery) -> None:
    """The contact gets no more mail. Safe to run twice: what was allowed again since then stays allowed."""
    workspace_id = ObjectId(event.workspace_id)
    contact = Contact.objects(id=ObjectId(event.contact_id), workspace_id=workspace_id).first()
    if contact:
        Suppression.add(workspace_id, [contact.email], "unsubscribed", event.unsubscribed_at)


@reacts_to(EmailBounced)
def suppress_unreachable(event: EmailBounced, delivery: Delivery) -> None:
    """Who will never get mail there, contact or not. Safe to run twice, as `suppress_mail` is."""
    if event.is_permanent:
        workspace_id = ObjectId(event.workspace_id)
        Suppression.add(workspace_id, event.recipients, "unreachable", delivery.accepted_at)


@reacts_to(EmailUnsubscribed)
@hands_on
def log_unsubscription(event: EmailUnsubscribed, delivery: Delivery) -> Jobs:
    """Enter it in the contact's timeline. Safe to run twice: entered once."""
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="email_unsubscribed",
        title=f"Unsubscribed {METHODS[event.method]}",
        happened_at=event.unsubscribed_at,
        details={"attemptId": event.attempt_id},
    )
