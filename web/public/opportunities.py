"""Chances of business, told by the workspaces' own pages and servers."""

from __future__ import annotations

from bson import ObjectId
from flask import Blueprint, Response, jsonify

from models.deal import Deal
from publishers import events
from schemas.opportunity import OpportunityCreated
from web.public import access, body, people, repeats
from web.public.crm_bodies import OpportunityBody

blueprint = Blueprint("opportunities", __name__, url_prefix="/api/public/crm/opportunities")


@blueprint.post("")
def create() -> Response:
    """Open a deal with the contact once; safe to repeat."""
    given = OpportunityBody.model_validate(body.read_object())
    access.check(given.workspace_id)
    people.check(given.workspace_id, given.contact_id)
    keys = [f"api:{given.contact_id}:{key}" for key in repeats.keys(given.sent())]
    deal, is_new = Deal.create_once(keys, given.workspace_id, given.contact_id, given.deal_fields())
    events.publish(_created(deal, given.contact_id))
    return jsonify(success=True, data={"opportunityId": str(deal.id), "isNew": is_new})


def _created(deal: Deal, contact_id: ObjectId) -> OpportunityCreated:
    return OpportunityCreated(
        workspace_id=str(deal.workspace_id),
        deal_id=str(deal.id),
        contact_id=str(contact_id),
        stage=deal.stage,
        amount=deal.amount,
        currency=deal.currency,
    )
