"""The run history of an automation: what each event made it do, and what it did not do and why."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from flask import Response, request
from werkzeug.exceptions import UnprocessableEntity

from models.trigger_run import TriggerRun
from web.automations import access, paging, shapes
from web.automations.access import blueprint

CURSOR = re.compile(r"(\d{1,14})\.([0-9a-f]{24}-[0-9a-f]{24})")  # milliseconds since 1970, and the run's id
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Query(paging.Paging):
    status: Literal["running", "done", "failed", "skipped"] | None = None


@blueprint.get("/triggers/<trigger_id>/runs")
def list_runs(workspace_id: str, trigger_id: str) -> Response:
    """The latest first; `?status=` chooses."""
    query = Query.model_validate(request.args.to_dict())
    trigger = access.trigger(workspace_id, trigger_id)
    found = TriggerRun.page(trigger.id, _place(query.cursor), query.limit + 1, query.status)
    return paging.answer(found, query.limit, shapes.run, _cursor)


def _cursor(run: TriggerRun) -> str:
    return f"{(run.created_at - EPOCH) // MILLISECOND}.{run.id}"


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    match = CURSOR.fullmatch(cursor)
    if not match:
        raise UnprocessableEntity("cursor: must be the `next` of another page")
    return EPOCH + int(match[1]) * MILLISECOND, match[2]
