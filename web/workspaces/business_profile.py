"""How a workspace does business: read and replace the rules in which it differs from the defaults."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict
from werkzeug.exceptions import UnprocessableEntity

from models.business_profile import BusinessProfile, InvalidRules, sections
from web.public import body
from web.workspaces import tokens, wire

blueprint = tokens.guarded("business_profile")


class Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: dict[str, Any]


@blueprint.get("/business-profile")
def show(workspace_id: str) -> Response:
    return jsonify(success=True, data=shape(ObjectId(workspace_id)))


@blueprint.put("/business-profile")
def replace(workspace_id: str) -> Response:
    """All of them: a section or field that is not given gets its default."""
    given = Given.model_validate(body.read_object())
    try:
        BusinessProfile.put(ObjectId(workspace_id), given.rules)
    except InvalidRules as error:
        raise UnprocessableEntity(str(error)) from None
    return show(workspace_id)


def shape(workspace_id: ObjectId) -> dict[str, Any]:
    """`rules`: what differs; `inForce`: everything, where a section that another program spoilt is null."""
    row = BusinessProfile._get_collection().find_one({"_id": workspace_id}) or {}
    rules = dict(row["rules"]) if isinstance(row.get("rules"), dict) else {}
    in_force: dict[str, Any] = {}
    problems: list[str] = []
    for name, kind in sections().items():
        try:
            valid = BusinessProfile.of(workspace_id, kind)
        except InvalidRules as error:
            problems.append(str(error))
            in_force[name] = None
            continue
        in_force[name] = valid.model_dump(mode="json", by_alias=True)
        if name in rules:
            rules[name] = valid.model_dump(mode="json", by_alias=True, exclude_unset=True)
    updated_at = wire.time(row.get("updated_at"))
    return {"rules": rules, "inForce": in_force, "problems": problems, "updatedAt": updated_at}
