"""The automations' routes, and the trigger that one of them names."""

from __future__ import annotations

from bson import ObjectId
from werkzeug.exceptions import NotFound

from models.store import object_id
from models.trigger import Trigger
from web.workspaces import tokens

blueprint = tokens.guarded("automations")


def trigger(workspace_id: str, trigger_id: str) -> Trigger:
    """The workspace's trigger. Raises 404 for one that it has not."""
    found: Trigger | None = None
    if known := object_id(trigger_id):
        found = Trigger.objects(id=known, workspace_id=ObjectId(workspace_id)).first()
    if found is None:
        raise NotFound("triggerId: no such trigger")
    return found
