"""What an automation would do for an event, saved or not, recorded or made up. Changes nothing."""

from __future__ import annotations

from typing import Any, Self

from bson import ObjectId
from flask import Response, jsonify
from pydantic import ValidationError, model_validator
from werkzeug.exceptions import NotFound, UnprocessableEntity

import jobs.actions
import schemas.event
from consumers import automations
from models import facts
from models.event import EventRecord
from models.trigger import Trigger
from schemas.event import Id
from services import conditions
from services.automation.actions import Action, Part
from services.automation.definition import Definition
from services.merge_fields import CannotRender
from web import errors
from web.automations import access, shapes
from web.automations.access import blueprint
from web.public import body


class Payload(Part):
    payload: dict[str, Any]  # as of the event type; `workspaceId` may be left out


class DryRun(Part):
    event_id: Id | None = None  # a recorded event
    event: Payload | None = None  # or one that is made up

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.event_id is None) == (self.event is None):
            raise ValueError("must have either eventId or event")
        return self


class DraftRun(DryRun):
    trigger: Definition


@blueprint.post("/triggers/<trigger_id>/dry-run")
def try_trigger(workspace_id: str, trigger_id: str) -> Response:
    """A saved automation."""
    stored = access.trigger(workspace_id, trigger_id)
    saved = shapes.trigger(stored)
    given = DryRun.model_validate(body.read_object())
    known = {name: value for name, value in saved.items() if name not in ("id", "createdAt", "updatedAt")}
    return _answer(ObjectId(workspace_id), Definition.model_validate(known), given, stored)


@blueprint.post("/triggers/dry-run")
def try_draft(workspace_id: str) -> Response:
    """One that is not saved yet: `trigger` holds it."""
    given = DraftRun.model_validate(body.read_object())
    return _answer(ObjectId(workspace_id), given.trigger, given)


def _answer(
    workspace_id: ObjectId, trigger: Definition, given: DryRun, stored: Trigger | None = None
) -> Response:
    record = _recorded(workspace_id, given) or _made_up(workspace_id, trigger.event_type, given)
    known = facts.of(record)
    verdicts = [
        conditions.judge(conditions.Condition(c.field, c.operator, c.value), known)
        for c in trigger.conditions
    ]
    reason = _why_never(record, stored) or _why_not(trigger, record, verdicts)
    if stored and not reason:
        reason = automations.too_often(stored, record)
    return jsonify(
        success=True,
        data={
            "wouldRun": reason is None,
            "reason": reason,
            "conditions": [
                {
                    "field": verdict.condition.field,
                    "operator": verdict.condition.operator,
                    "value": verdict.condition.value,
                    "actual": verdict.fact,
                    "holds": verdict.holds,
                    "why": verdict.why,
                }
                for verdict in verdicts
            ],
            "actions": [_preview(action, known, record) for action in trigger.actions],
        },
    )


def _recorded(workspace_id: ObjectId, given: DryRun) -> EventRecord | None:
    if given.event_id is None:
        return None
    record: EventRecord | None = EventRecord.objects(
        id=ObjectId(given.event_id), workspace_id=workspace_id
    ).first()
    if record is None:
        raise NotFound("eventId: no such event")
    return record


def _made_up(workspace_id: ObjectId, event_type: str, given: DryRun) -> EventRecord:
    kind = schemas.event.catalogue()[event_type]
    payload = given.event.payload if given.event else {}
    try:
        event = kind.model_validate({**payload, "workspaceId": str(workspace_id)})
    except ValidationError as error:
        raise UnprocessableEntity(errors.describe(error, "event.payload")) from None
    return EventRecord(
        type=event_type, version=kind.version, workspace_id=workspace_id, payload=event.payload()
    )


def _why_never(record: EventRecord, stored: Trigger | None) -> str | None:
    if record.payload.get("isMachine"):
        return "a machine did it, such as a scanner of mail, and that sets off nothing"
    if stored and automations.is_own_end(str(stored.id), record):
        return "it is the automation's own end, for which it does not wait"
    return None


def _why_not(trigger: Definition, record: EventRecord, verdicts: list[conditions.Verdict]) -> str | None:
    if not trigger.is_active:
        return "the automation is switched off"
    if record.type != trigger.event_type:
        return f"it waits for {trigger.event_type}, and this event is {record.type}"
    if reason := automations.too_deep(record):
        return reason
    failing = [verdict.why for verdict in verdicts if not verdict.holds]
    return "; ".join(failing) or None


def _preview(action: Action, known: dict[str, Any], record: EventRecord) -> dict[str, Any]:
    """The action with its variables filled, or what keeps it from being done."""
    if action.needs_contact and not known["contact"]:
        return {**action.wire(), "problem": "the event has no contact, so this action would be skipped"}
    try:
        filled = action.rendered(known)
    except CannotRender as error:
        return {**action.wire(), "problem": str(error)}
    return {**filled.wire(), "problem": jobs.actions.obstacle(filled, record, known)}
