"""Events that the system finds out about a deal; what people do to it are those of `schemas.opportunity`."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, Moment, register


@register
class DealStale(Event):
    """Nothing has happened with an open deal for long: once per deal, level and quiet spell."""

    type = "deal.stale"
    unique_by = ("deal_id", "level", "quiet_since")
    about = ("deal_id",)

    deal_id: Id
    level: Literal["stale", "at_risk"]
    quiet_since: Moment
    contact_id: Id | None = None
    assigned_to: Id | None = None
