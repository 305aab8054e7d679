"""What visitors do on the tracked pages, and who they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import ValidationError

from models import store
from models.contact import Contact
from models.workspace import Workspace
from web import errors
from web.public import access, body, people, visitors, visits
from web.public.bodies import Batch, ConsentGiven, Identity, TrackedEvent

blueprint = Blueprint("track", __name__, url_prefix="/api/public/track")

Answer = tuple[Response, int]
Admitted = tuple[Workspace, TrackedEvent]
Refused = dict[int, str]  # place in the batch -> why


@blueprint.post("/event")
def track() -> Answer:
    """Store a batch of events and publish its page views. Every store command serves the whole batch.

    Safe to repeat: an event's id is a hash of it. 200 when at least one event was accepted, since a client
    must not send those again; the refused ones are named. 403 or 422 when none was. Events of visitors who
    may not be tracked are dropped: that is no error, so they are only counted.
    """
    batch = Batch.model_validate(body.read_object())
    found, refused = _valid(batch.events, store.now())
    admitted, is_foreign = _admitted(found, refused)
    if not admitted:
        message = access.FOREIGN if is_foreign else "events: all were refused"
        return _answer(refused, success=False, accepted=0, message=message), 403 if is_foreign else 422
    accepted = visits.accept(admitted)
    without_consent = {"dropped": len(admitted) - accepted} if accepted < len(admitted) else {}
    return _answer(refused, success=True, accepted=accepted, **without_consent), 200


@blueprint.post("/identify")
def identify() -> Response:
    """The visitor is the contact of this e-mail. Fills only what is empty; safe to repeat.

    Who may not be tracked becomes a contact all the same, having said so, but the visits stay nobody's.
    """
    who = Identity.model_validate(body.read_object())
    workspace = access.check(who.workspace_id)
    contact, _ = Contact.upsert(
        who.workspace_id,
        who.email,
        who.properties.contact_fields(),
        overwrite=False,
        announce_as="api",
    )
    people.publish(contact, visitor=visitors.link(workspace, contact, who.visitor_id))
    return jsonify(success=True, contactId=str(contact.id))


@blueprint.post("/consent")
def consent() -> Response:
    """Whether the visitor may be tracked, by its own word; safe to repeat. The last word counts."""
    given = ConsentGiven.model_validate(body.read_object())
    access.check(given.workspace_id)
    visitors.decide(given.workspace_id, given.visitor_id, given.consent.analytics)
    return jsonify(success=True, consent={"analytics": given.consent.analytics})


def _valid(items: Iterable[Any], now: datetime) -> tuple[dict[int, TrackedEvent], Refused]:
    found, refused = {}, {}
    for place, item in enumerate(items):
        try:
            found[place] = TrackedEvent.model_validate(item, context={"now": now})
        except ValidationError as error:
            refused[place] = errors.describe(error)
    return found, refused


def _admitted(found: dict[int, TrackedEvent], refused: Refused) -> tuple[list[Admitted], bool]:
    """The events whose workspace exists and allows the origin; whether there was one that does not."""
    workspaces = access.recent_workspaces({event.workspace_id for event in found.values()})
    admitted, is_foreign = [], False
    for place, event in found.items():
        workspace = workspaces.get(event.workspace_id)
        if workspace is None:
            refused[place] = "workspaceId: no such workspace"
        elif not access.admits(workspace):
            refused[place], is_foreign = access.FOREIGN, True
        else:
            admitted.append((workspace, event))
    return admitted, is_foreign


def _answer(refused: Refused, **fields: Any) -> Response:
    listed = [{"index": place, "message": why} for place, why in sorted(refused.items())]
    return jsonify(**fields, refused=listed)
