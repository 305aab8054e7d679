"""Events of the mailboxes."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, register


class EmailEvent(Event):
    message_id: Id  # the stored message, one per workspace whatever the number of mailboxes that hold it
    account_id: Id
    contact_id: Id | None = None  # who wrote it, or to whom it could not be delivered; None: nobody we know

    @property
    def key(self) -> str:
        return f"{self.type}:{self.message_id}"


@register
class EmailReceived(EmailEvent):
    """Somebody wrote to us; or, as an auto-reply, their machine did."""

    type = "email.received"

    kind: Literal["new", "auto-reply"] = "new"


@register
class EmailReplied(EmailEvent):
    type = "email.replied"

    in_reply_to: Id | None = None  # our stored message that it answers


@register
class EmailForwarded(EmailEvent):
    type = "email.forwarded"


@register
class EmailBounced(EmailEvent):
    type = "email.bounced"

    recipients: list[str]
    is_permanent: bool
    original: Id | None = None  # our stored message that came back
