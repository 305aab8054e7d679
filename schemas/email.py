"""Events of e-mail: of the mailboxes, and of what people do with the mail that we sent."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, Moment, register


class EmailEvent(Event):
    unique_by = ("message_id",)
    about = ("contact_id", "message_id")

    message_id: Id  # the stored message, one per workspace whatever the number of mailboxes that hold it
    account_id: Id
    contact_id: Id | None = None  # who wrote it, or to whom it could not be delivered; None: nobody we know


@register
class EmailReceived(EmailEvent):
    """Somebody wrote to us; or, as an auto-reply, their machine did."""

    type = "email.received"

    kind: Literal["new", "auto-reply"] = "new"


@register
class EmailReplied(EmailEvent):
    """Somebody answered a mail."""

    type = "email.replied"

    in_reply_to: Id | None = None  # our stored message that it answers


@register
class EmailForwarded(EmailEvent):
    """Somebody sent a mail on to us."""

    type = "email.forwarded"


@register
class EmailBounced(EmailEvent):
    """A mail of ours came back."""

    type = "email.bounced"

    recipients: list[str]  # when permanent, only those whose address is bad
    is_permanent: bool
    original: Id | None = None  # our stored message that came back


class SentEmailEvent(Event):
    unique_by = ("hit_id",)
    about = ("contact_id",)

    hit_id: Id  # the stored open or click; the attempt's own id where only the first one is stored
    attempt_id: Id  # the send attempt of the mail
    contact_id: Id
    is_machine: bool = False  # a scanner or a mail proxy did it: shown, but never counted as interest


@register
class EmailOpened(SentEmailEvent):
    """A mail that we sent was opened."""

    type = "email.opened"

    opened_at: Moment


@register
class EmailClicked(SentEmailEvent):
    """A link in a mail that we sent was followed."""

    type = "email.clicked"

    url: str
    clicked_at: Moment


@register
class EmailUnsubscribed(Event):
    """A contact wants no more mail of ours."""

    type = "email.unsubscribed"
    unique_by = ("contact_id", "unsubscribed_at")
    about = ("contact_id",)

    contact_id: Id
    method: Literal["one_click", "page", "reply", "manual"]
    unsubscribed_at: Moment
    attempt_id: Id | None = None  # the mail by which they did it
