"""What happens to a deal, by people (`opportunity.…`) or by its silence (`deal.stale`). Safe to repeat, but
for `updated`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from models.deal import Deal
from models.store import id_text
from publishers.events import announce
from schemas import opportunity
from schemas.deal import DealStale


def created(deal: Deal) -> None:
    announce(opportunity.OpportunityCreated(**_of(deal), **_worth(deal), stage=deal.stage))


def updated(deal: Deal, *, changed: Sequence[str]) -> None:
    """`changed`: names of the fields in camelCase."""
    announce(opportunity.OpportunityUpdated(**_of(deal), changed=list(changed)))


def stage_changed(deal: Deal, stage: str, *, previous: str | None, at: datetime) -> None:
    announce(
        opportunity.OpportunityStageChanged(**_of(deal), stage=stage, previous_stage=previous, changed_at=at)
    )


def won(deal: Deal, *, at: datetime) -> None:
    announce(opportunity.OpportunityWon(**_of(deal), **_worth(deal), closed_at=at))


def lost(deal: Deal, *, at: datetime, reason: str | None = None) -> None:
    announce(opportunity.OpportunityLost(**_of(deal), reason=reason, closed_at=at))


def stale(deal: Deal, level: Literal["stale", "at_risk"], *, quiet_since: datetime) -> None:
    owner = id_text(deal.assigned_to)
    announce(DealStale(**_of(deal), level=level, quiet_since=quiet_since, assigned_to=owner))


def _of(deal: Deal) -> dict[str, Any]:
    first = id_text(deal.contact_ids[0]) if deal.contact_ids else None
    return {"workspace_id": str(deal.workspace_id), "deal_id": str(deal.id), "contact_id": first}


def _worth(deal: Deal) -> dict[str, Any]:
    return {"amount": deal.amount, "currency": deal.currency}
