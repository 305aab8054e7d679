"""Events of the timeline."""

from __future__ import annotations

from schemas.event import Event, Id, Moment, register


@register
class ActivityLogged(Event):
    """Somebody entered a call, a meeting, a note or the like; never an entry of our own making."""

    type = "activity.logged"
    unique_by = ("activity_id",)
    about = ("contact_id", "deal_id", "company_id")

    activity_id: Id
    kind: str
    happened_at: Moment
    contact_id: Id | None = None
    deal_id: Id | None = None
    company_id: Id | None = None
