"""What visitors do on the tracked pages, and who they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bson import ObjectId
from flask import Blueprint, Response, jsonify
from pydantic import ValidationError

from models import store
from models.contact import Contact
from models.visitor import Visitor, visitor_key
from models.visitor_event import PAGE_VIEW, VisitorEvent
from publishers import events
from schemas.page import PageViewed
from web import errors
from web.public import access, body, people
from web.public.bodies import Batch, Identity, TrackedEvent

blueprint = Blueprint("track", __name__, url_prefix="/api/public/track")

Answer = tuple[Response, int]
Refused = dict[int, str]  # place in the batch -> why


@blueprint.post("/event")
def track() -> Answer:
    """Store a batch of events and publish its page views. Every store command serves the whole batch.

    Safe to repeat: an event's id is a hash of it. 200 when at least one event was accepted, since a client
    must not send those again; the refused ones are named. 403 or 422 when none was.
    """
    batch = Batch.model_validate(body.read_object())
    found, refused = _valid(batch.events, store.now())
    admitted, is_foreign = _admitted(found, refused)
    if not admitted:
        message = access.FOREIGN if is_foreign else "events: all were refused"
        return _answer(refused, success=False, accepted=0, message=message), 403 if is_foreign else 422
    accept([_document(event) for event in admitted])
    return _answer(refused, success=True, accepted=len(admitted)), 200


@blueprint.post("/identify")
def identify() -> Response:
    """The visitor is the contact of this e-mail. Fills only what is empty; safe to repeat."""
    who = Identity.model_validate(body.read_object())
    access.check(who.workspace_id)
    contact, _ = Contact.upsert(
        who.workspace_id,
        who.email,
        who.properties.contact_fields(),
        overwrite=False,
        announce_as="api",
    )
    link(contact, who.visitor_id)
    people.publish(contact)
    return jsonify(success=True, contactId=str(contact.id))


def link(contact: Contact, visitor_id: str) -> None:
    """The visitor and all it did before are the contact's. In this order, see `accept`; safe to run twice."""
    Visitor.identify(contact.workspace_id, visitor_id, contact.id)
    VisitorEvent.link_visitor(contact.workspace_id, visitor_id, contact.id)


def accept(visits: list[VisitorEvent]) -> None:
    """Store events, give those of identified visitors their contact, publish the page views.

    The visitors are looked up after the insert, and `link` works the other way round: whichever of two
    requests at the same time comes second, the events get their contact.
    """
    VisitorEvent.store(visits)
    contacts = Visitor.contacts_of({_visitor(visit) for visit in visits})
    known = {visit.id: contacts[_visitor(visit)] for visit in visits if _visitor(visit) in contacts}
    VisitorEvent.set_contacts(known)
    views = {visit.id: visit for visit in visits if visit.event_type == PAGE_VIEW}
    events.publish_all([_page_viewed(visit, known.get(visit.id)) for visit in views.values()])


def _valid(items: Iterable[Any], now: datetime) -> tuple[dict[int, TrackedEvent], Refused]:
    found, refused = {}, {}
    for place, item in enumerate(items):
        try:
            found[place] = TrackedEvent.model_validate(item, context={"now": now})
        except ValidationError as error:
            refused[place] = errors.describe(error)
    return found, refused


def _admitted(found: dict[int, TrackedEvent], refused: Refused) -> tuple[list[TrackedEvent], bool]:
    """The events whose workspace exists and allows the origin; whether there was one that does not."""
    workspaces = access.workspaces({event.workspace_id for event in found.values()}) if found else {}
    admitted, is_foreign = [], False
    for place, event in found.items():
        workspace = workspaces.get(event.workspace_id)
        if workspace is None:
            refused[place] = "workspaceId: no such workspace"
        elif not access.admits(workspace):
            refused[place], is_foreign = access.FOREIGN, True
        else:
            admitted.append(event)
    return admitted, is_foreign


def _answer(refused: Refused, **fields: Any) -> Response:
    listed = [{"index": place, "message": why} for place, why in sorted(refused.items())]
    return jsonify(**fields, refused=listed)


def _document(event: TrackedEvent) -> VisitorEvent:
    fields = event.model_dump(exclude={"timestamp"}, exclude_none=True)
    return VisitorEvent(**fields, happened_at=event.timestamp)


def _visitor(visit: VisitorEvent) -> str:
    return visitor_key(visit.workspace_id, visit.visitor_id)


def _page_viewed(visit: VisitorEvent, contact_id: ObjectId | None) -> PageViewed:
    return PageViewed(
        workspace_id=str(visit.workspace_id),
        visit_id=str(visit.id),
        visitor_id=visit.visitor_id,
        url=visit.url,
        viewed_at=visit.happened_at,
        contact_id=str(contact_id) if contact_id else None,
    )
