"""Create, list, read, replace and delete a workspace's automations."""

from __future__ import annotations

from typing import Annotated

from bson import ObjectId
from flask import Response, jsonify, request, url_for
from mongoengine import NotUniqueError
from pydantic import Field
from werkzeug.exceptions import Conflict, NotFound, UnprocessableEntity

from models import store
from models.store import object_id
from models.trigger import Trigger
from services.automation.definition import Definition
from web.automations import access, references, shapes
from web.automations.access import blueprint
from web.public import body
from web.workspaces import idempotency, paging

MOST = 500  # automations of a workspace: each event looks at all of its type


class Query(paging.Paging):
    event_type: Annotated[str | None, Field(max_length=100)] = None
    is_active: bool | None = None


@blueprint.get("/triggers")
def list_triggers(workspace_id: str) -> Response:
    """The oldest first; `?eventType=` and `?isActive=` choose."""
    query = Query.model_validate(request.args.to_dict())
    after = object_id(query.cursor)
    if query.cursor and not after:
        raise UnprocessableEntity(paging.NO_CURSOR)
    chosen = {"event_type": query.event_type, "is_active": query.is_active}
    filters = {name: value for name, value in chosen.items() if value is not None}
    found = Trigger.page(ObjectId(workspace_id), after, query.limit + 1, **filters)
    return paging.answer(found, query.limit, shapes.trigger, lambda trigger: str(trigger.id))


@blueprint.post("/triggers")
def create_trigger(workspace_id: str) -> tuple[Response, int, dict[str, str]]:
    """201 with the automation as it is stored, and its address in `Location`.

    Safe to repeat with the same `Idempotency-Key`: the answer is the one that was created.
    """
    owner = ObjectId(workspace_id)
    given, key = _given(owner), idempotency.key()
    if key and (known := Trigger.objects(workspace_id=owner, key=key).first()):
        return _created(known)
    if Trigger.objects(workspace_id=owner).limit(MOST).count(with_limit_and_skip=True) >= MOST:
        raise Conflict(f"a workspace has at most {MOST} automations; delete one that is not needed")
    try:
        return _created(Trigger(workspace_id=owner, key=key, **shapes.stored(given)).save(force_insert=True))
    except NotUniqueError:  # the same request came twice at once
        return _created(Trigger.objects.get(workspace_id=owner, key=key))


@blueprint.get("/triggers/<trigger_id>")
def show_trigger(workspace_id: str, trigger_id: str) -> Response:
    return jsonify(success=True, data=shapes.trigger(access.trigger(workspace_id, trigger_id)))


@blueprint.put("/triggers/<trigger_id>")
def replace_trigger(workspace_id: str, trigger_id: str) -> Response:
    """All of it: what is not given gets its default. Runs that have begun end as they were planned."""
    trigger = access.trigger(workspace_id, trigger_id)
    given = _given(trigger.workspace_id)
    changes = {f"set__{name}": value for name, value in shapes.stored(given).items()}
    if not Trigger.objects(id=trigger.id).update_one(**changes, set__updated_at=store.now()):
        raise NotFound("triggerId: no such trigger")  # deleted meanwhile
    return show_trigger(workspace_id, trigger_id)


@blueprint.delete("/triggers/<trigger_id>")
def delete_trigger(workspace_id: str, trigger_id: str) -> Response:
    """Its actions that were not done yet are skipped."""
    trigger = access.trigger(workspace_id, trigger_id)
    trigger.delete()
    return jsonify(success=True, data={"id": str(trigger.id)})


def _created(trigger: Trigger) -> tuple[Response, int, dict[str, str]]:
    place = url_for(".show_trigger", workspace_id=str(trigger.workspace_id), trigger_id=str(trigger.id))
    return jsonify(success=True, data=shapes.trigger(trigger)), 201, {"Location": place}


def _given(workspace_id: ObjectId) -> Definition:
    given = Definition.model_validate(body.read_object())
    references.check(workspace_id, given)
    return given
