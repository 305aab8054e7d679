"""The timelines of contacts, companies and deals: what happened, the latest first."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from flask import Response, request
from werkzeug.exceptions import NotFound

from models.activity import About, Activity
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.store import object_id
from web.workspaces import paging, tokens, wire

blueprint = tokens.guarded("timelines")


@blueprint.get("/contacts/<contact_id>/activities")
def of_contact(workspace_id: str, contact_id: str) -> Response:
    return _page(workspace_id, About(contact_id=_known(Contact, workspace_id, contactId=contact_id)))


@blueprint.get("/companies/<company_id>/activities")
def of_company(workspace_id: str, company_id: str) -> Response:
    """Of all contacts who belong to it."""
    return _page(workspace_id, About(company_id=_known(Company, workspace_id, companyId=company_id)))


@blueprint.get("/deals/<deal_id>/activities")
def of_deal(workspace_id: str, deal_id: str) -> Response:
    return _page(workspace_id, About(deal_id=_known(Deal, workspace_id, dealId=deal_id)))


def _known(kind: Any, workspace_id: str, **named: str) -> ObjectId:
    """The id, when the workspace has such a record. Raises 404."""
    ((name, text),) = named.items()
    known = object_id(text)
    if known is None or not kind.objects(id=known, workspace_id=ObjectId(workspace_id)).only("id").first():
        raise NotFound(f"{name}: no such {name.removesuffix('Id')}")
    return known


def _page(workspace_id: str, about: About) -> Response:
    query = paging.Paging.model_validate(request.args.to_dict())
    place = paging.place(query.cursor, "[0-9a-f]{24}")
    after = (place[0], ObjectId(place[1])) if place else None
    found = Activity.timeline(ObjectId(workspace_id), about, query.limit + 1, after)
    return paging.answer(found, query.limit, _shape, lambda entry: paging.cursor(entry.happened_at, entry.id))


def _shape(entry: Activity) -> dict[str, Any]:
    about = {"contactId": entry.contact_id, "companyId": entry.company_id, "dealId": entry.deal_id}
    return {
        "id": str(entry.id),
        "kind": entry.kind,
        "title": entry.title,
        "details": dict(entry.details),
        "happenedAt": wire.time(entry.happened_at),
        **{name: str(known) if known else None for name, known in about.items()},
    }
