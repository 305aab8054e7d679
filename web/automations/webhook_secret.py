"""The secret with which a workspace checks that a webhook came from us."""

from __future__ import annotations

from flask import Response, jsonify
from werkzeug.exceptions import NotFound

from services import webhook
from web.automations.access import blueprint


@blueprint.get("/webhook-secret")
def show_secret(workspace_id: str) -> Response:
    try:
        return jsonify(success=True, data={"secret": webhook.secret_of(workspace_id.lower())})
    except webhook.WebhookRefused:
        raise NotFound("webhooks are off here; the operator must set WEBHOOK_SECRET") from None
