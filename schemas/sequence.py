"""Events of a sequence."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, register

Outcome = Literal["finished", "replied", "unsubscribed", "bounced", "stopped"]


@register
class SequenceCompleted(Event):
    """A contact is through with a sequence."""

    type = "sequence.completed"
    unique_by = ("enrolment_id",)
    about = ("contact_id",)

    enrolment_id: Id
    sequence_id: Id
    contact_id: Id
    outcome: Outcome
