"""Who may use a workspace's private API: whoever has one of its tokens.

For all others a workspace, and all that is in it, does not exist: they get 404.
"""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import NotFound, Unauthorized

from models.api_token import ApiToken
from models.store import object_id


def guarded(name: str) -> Blueprint:
    """A blueprint below `/api/workspaces/:id` for whoever has a token of that workspace."""
    blueprint = Blueprint(name, __name__, url_prefix="/api/workspaces/<workspace_id>")
    blueprint.before_request(_check)
    blueprint.after_request(_close)
    return blueprint


def _check() -> None:
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


def _close(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
