"""Chances of business, told by the workspaces' own pages and servers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from models.deal import Deal
from publishers import deals
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
    deals.created(deal)
    return jsonify(success=True, data={"opportunityId": str(deal.id), "isNew": is_new})
