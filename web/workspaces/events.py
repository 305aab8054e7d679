"""Tell what happened in the CRM: `POST /api/workspaces/:id/events`, one event or up to 100."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import UnprocessableEntity

import publishers.events
from schemas import authority, event
from schemas.event import Event, UnknownEvent
from services.automation.fields import did_you_mean
from web import errors
from web.public import body
from web.workspaces import cause, idempotency, tokens

MOST = 100  # events of a request

blueprint = tokens.guarded("events")


class Refused(Exception):
    """An event that is not accepted; says which of its fields is at fault, and why."""


class Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: Annotated[str, Field(max_length=100)]
    version: Annotated[int | None, Field(ge=1)] = None  # None: the newest
    payload: dict[str, Any]  # as of the type and version; `workspaceId` may be left out


class Single(Given, cause.Caused):
    """One event."""


class Batch(cause.Caused):
    events: Annotated[list[Given], Field(min_length=1, max_length=MOST)]


@blueprint.post("/events")
def accept(workspace_id: str) -> tuple[Response, int]:
    """202 and the events' ids, in their order: all are accepted, or none.

    Safe to repeat for events that something makes unique, and for the others with the same
    `Idempotency-Key`: the ids are those of the first time.
    """
    caused, given, places = _read(body.read_object())
    key, told = idempotency.key(), _decoded(workspace_id, given, places)
    keys = [f"api:{workspace_id.lower()}:{key}:{place}" for place in range(len(told))] if key else ()
    ids = publishers.events.publish_all(told, keys=keys, **cause.of(workspace_id, caused))
    return jsonify(success=True, data={"ids": ids}), 202


def _read(given: dict[str, Any]) -> tuple[cause.Caused, Sequence[Given], list[str]]:
    """The body, the events in it, and where they stand there."""
    if "events" not in given:
        one = Single.model_validate(given)
        return one, [one], [""]
    batch = Batch.model_validate(given)
    return batch, batch.events, [f"events.{place}." for place in range(len(batch.events))]


def _decoded(workspace_id: str, given: Sequence[Given], places: Sequence[str]) -> list[Event]:
    """Raises 422 with the faults of all of them."""
    told, faults = [], []
    for each, place in zip(given, places, strict=True):
        try:
            told.append(_event(workspace_id.lower(), each, place))
        except Refused as fault:
            faults.append(str(fault))
    if faults:
        more = len(faults) - errors.DESCRIBED
        shown = [*faults[: errors.DESCRIBED], *([f"and {more} more events"] if more > 0 else [])]
        raise UnprocessableEntity("; ".join(shown))
    return told


def _event(workspace_id: str, given: Given, place: str) -> Event:
    kind, known = given.type, event.catalogue()
    if kind not in known:
        raise Refused(f"{place}type: there is no event {kind!r:.60}{did_you_mean(kind, known)}")
    if kind in authority.OURS:
        raise Refused(f"{place}type: {kind} is not accepted: it comes from {authority.OURS[kind]}")
    payload = {"workspaceId": workspace_id, **given.payload}
    if name := next((name for name, value in payload.items() if not _is_text(value)), None):
        raise Refused(f"{place}payload.{errors.shown(name)}: must not contain half of a surrogate pair")
    version = given.version or known[kind].version
    try:
        told = event.decode(kind, version, payload)
    except UnknownEvent:
        raise Refused(f"{place}version: {kind} has the versions {event.versions(kind)}") from None
    except ValidationError as error:
        raise Refused(errors.describe(error, f"{place}payload")) from None
    except (LookupError, TypeError, ValueError, AttributeError):  # an upcaster met what it was not made for
        raise Refused(f"{place}payload: is none of version {version} of {kind}") from None
    if told.workspace_id != workspace_id:
        raise Refused(f"{place}payload.workspaceId: must be the workspace of the address, or be left out")
    return told


def _is_text(value: Any) -> bool:
    """Whether the store can keep the texts in it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
