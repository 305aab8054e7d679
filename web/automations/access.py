"""Who may use a workspace's private API: whoever has one of its tokens.

For all others a workspace, and all that is in it, does not exist: they get 404.
"""

from __future__ import annotations

from bson import ObjectId
from flask import Blueprint, Response, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import NotFound, Unauthorized

from models.api_token import ApiToken
from models.store import object_id
from models.trigger import Trigger

blueprint = Blueprint("automations", __name__, url_prefix="/api/workspaces/<workspace_id>")


@blueprint.before_request
def check() -> None:
    """Raise 401 without a valid token, 404 for another workspace than the token's."""
    given = request.authorization
    token = ApiToken.of(given.token) if given and given.type == "bearer" and given.token else None
    if token is None:
        raise Unauthorized(
            "Authorization: must be `Bearer` and a token of this workspace",
            www_authenticate=WWWAuthenticate("bearer", {"realm": "clianta"}),
        )
    if object_id((request.view_args or {})["workspace_id"]) != token.workspace_id:
        raise NotFound("workspaceId: no such workspace")


@blueprint.after_request
def close(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def trigger(workspace_id: str, trigger_id: str) -> Trigger:
    """The workspace's trigger. Raises 404 for one that it has not."""
    found: Trigger | None = None
    if known := object_id(trigger_id):
        found = Trigger.objects(id=known, workspace_id=ObjectId(workspace_id)).first()
    if found is None:
        raise NotFound("triggerId: no such trigger")
    return found
