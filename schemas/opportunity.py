"""Events of an opportunity, which the store and the other events call a deal."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.event import Event, Id, Moment, register

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]  # ISO 4217


class OpportunityEvent(Event):
    about = ("deal_id",)

    deal_id: Id
    contact_id: Id | None = None  # the first of its contacts


@register
class OpportunityCreated(OpportunityEvent):
    """An opportunity was opened."""

    type = "opportunity.created"
    unique_by = ("deal_id",)

    stage: str | None = None
    amount: Amount | None = None
    currency: Currency | None = None


@register
class OpportunityUpdated(OpportunityEvent):
    """Fields of an opportunity have new values."""

    type = "opportunity.updated"

    changed: list[str]  # names of the fields that were given, in camelCase


@register
class OpportunityStageChanged(OpportunityEvent):
    """An opportunity moved to another stage of its pipeline."""

    type = "opportunity.stage_changed"
    unique_by = ("deal_id", "stage", "changed_at")

    previous_stage: str | None = None
    stage: str
    changed_at: Moment


@register
class OpportunityWon(OpportunityEvent):
    """An opportunity was closed as won."""

    type = "opportunity.won"
    unique_by = ("deal_id", "closed_at")  # it may be opened again

    amount: Amount | None = None
    currency: Currency | None = None
    closed_at: Moment


@register
class OpportunityLost(OpportunityEvent):
    """An opportunity was closed as lost."""

    type = "opportunity.lost"
    unique_by = ("deal_id", "closed_at")

    reason: str | None = None
    closed_at: Moment
