"""The run history of an automation: what each event made it do, and what it did not do and why."""

from __future__ import annotations

from typing import Literal

from flask import Response, request

from models.trigger_run import TriggerRun
from web.automations import access, shapes
from web.automations.access import blueprint
from web.workspaces import paging

RUN_ID = "[0-9a-f]{24}-[0-9a-f]{24}"


class Query(paging.Paging):
    status: Literal["running", "done", "failed", "skipped"] | None = None


@blueprint.get("/triggers/<trigger_id>/runs")
def list_runs(workspace_id: str, trigger_id: str) -> Response:
    """The latest first; `?status=` chooses."""
    query = Query.model_validate(request.args.to_dict())
    trigger = access.trigger(workspace_id, trigger_id)
    place = paging.place(query.cursor, RUN_ID)
    found = TriggerRun.page(trigger.id, place, query.limit + 1, query.status)
    return paging.answer(found, query.limit, shapes.run, lambda run: paging.cursor(run.created_at, run.id))
