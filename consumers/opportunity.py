"""Reactions to what people do with an opportunity."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bson import ObjectId

from consumers import activity, lifecycle
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models import deal_silence
from models.deal import Deal
from models.store import now
from publishers import silence
from schemas.opportunity import (
    OpportunityCreated,
    OpportunityLost,
    OpportunityStageChanged,
    OpportunityWon,
)

Told = OpportunityCreated | OpportunityStageChanged | OpportunityWon | OpportunityLost
DETAILS = {"stage", "previous_stage", "amount", "currency", "reason"}


@reacts_to(OpportunityCreated, OpportunityStageChanged, OpportunityWon, OpportunityLost)
@hands_on
def log_opportunity(event: Told, delivery: Delivery) -> Jobs:
    """Enter it in the timelines of the deal and its first contact. Safe to run twice: entered once."""
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        deal_id=event.deal_id,
        kind=event.type.replace(".", "_"),
        title=_title(event),
        happened_at=_moment(event),
        details={**event.model_dump(by_alias=True, include=DETAILS, mode="json"), "dealId": event.deal_id},
    )


@reacts_to(OpportunityWon, OpportunityLost)
def close_deal(event: OpportunityWon | OpportunityLost, _delivery: Delivery) -> None:
    """The deal keeps how and when it was closed; then its contacts may be customers. Safe to run twice."""
    status: Literal["won", "lost"] = "won" if isinstance(event, OpportunityWon) else "lost"
    Deal.close(ObjectId(event.workspace_id), ObjectId(event.deal_id), status, event.closed_at)
    lifecycle.mark_contacts_of(event.workspace_id, event.deal_id)


@reacts_to(OpportunityWon, OpportunityLost)
def end_silence(event: OpportunityWon | OpportunityLost, _delivery: Delivery) -> None:
    """Nobody has to get in touch any more. Safe to run twice: what is closed stays so."""
    workspace_id, deal_id = ObjectId(event.workspace_id), ObjectId(event.deal_id)
    deal_silence.close(workspace_id, deal_id)
    silence.ended_of({"_id": deal_id, "workspace_id": workspace_id}, now())


def _title(event: Told) -> str:
    match event:
        case OpportunityStageChanged(previous_stage=str(before)):
            return f"Opportunity moved from {before} to {event.stage}"
        case OpportunityStageChanged():
            return f"Opportunity moved to {event.stage}"
        case OpportunityCreated():
            return "Opportunity opened"
        case OpportunityWon():
            return "Opportunity won"
        case OpportunityLost():
            return "Opportunity lost"


def _moment(event: Told) -> datetime | None:
    match event:
        case OpportunityStageChanged():
            return event.changed_at
        case OpportunityWon() | OpportunityLost():
            return event.closed_at
        case OpportunityCreated():
            return None
