"""Events of a contact."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, Moment, Occasion, register

Grade = Literal["A", "B", "C", "D"]
Source = Literal["manual", "import", "form", "api"]
Stage = Literal["subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist"]


class ContactEvent(Event):
    about = ("contact_id",)

    contact_id: Id


@register
class ContactCreated(ContactEvent):
    """A contact is new in its workspace."""

    type = "contact.created"
    unique_by = ("contact_id",)

    source: Source


@register
class ContactUpdated(ContactEvent):
    """Fields of a contact have new values."""

    type = "contact.updated"

    changed: list[str]  # names of the fields that were given, in camelCase


@register
class ContactDeleted(ContactEvent):
    """A contact was removed. The event holds nothing personal."""

    type = "contact.deleted"
    unique_by = ("contact_id",)

    reason: Literal["manual", "merged", "erased"] = "manual"  # erased: at the person's own request


@register
class ContactLifecycleChanged(ContactEvent):
    """A contact moved one step along the lifecycle."""

    type = "contact.lifecycle_changed"
    unique_by = ("contact_id", "stage", "occasion")

    previous_stage: Stage | None = None
    stage: Stage
    occasion: Occasion


@register
class ContactRecycled(ContactEvent):
    """A lost lead showed interest again and is worked once more."""

    type = "contact.recycled"
    unique_by = ("contact_id", "lost_at")

    lost_at: Moment  # when it had been lost: each loss is recycled once at most
    enrolment_id: Id | None = None  # in the re-engagement sequence


@register
class ContactScoreChanged(ContactEvent):
    """The lead score of a contact reached another grade."""

    type = "contact.score_changed"
    unique_by = ("contact_id", "grade", "occasion")

    score: int
    grade: Grade
    previous_grade: Grade | None = None  # None: it had no score yet
    occasion: Occasion


@register
class ContactOwnerAssigned(ContactEvent):
    """A contact has a new owner."""

    type = "contact.owner_assigned"
    unique_by = ("contact_id", "owner_id", "occasion")

    owner_id: Id
    previous_owner_id: Id | None = None
    method: Literal["manual", "round_robin", "automation"]
    occasion: Occasion
