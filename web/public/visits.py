"""Store what visitors did, and publish their page views. Every store command serves a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from models.visitor import Visitor, visitor_key
from models.visitor_event import PAGE_VIEW, VisitorEvent
from models.workspace import Workspace
from publishers import events, pages
from web.public import visitors
from web.public.bodies import TrackedEvent

Known = dict[str, ObjectId]  # visitor_key -> contact


def accept(tracked: Sequence[tuple[Workspace, TrackedEvent]]) -> int:
    """Store the events of visitors who may be tracked; returns how many those were. Safe to repeat.

    Visitors without a contact are looked up again after the insert, and `visitors.link` works the other way
    round: whichever of two requests at the same time comes second, the events get their contact.
    """
    known = Visitor.known({_key(event) for _, event in tracked})
    kept = [event for workspace, event in tracked if visitors.may_track(workspace, known.get(_key(event)))]
    if kept:
        _store(kept, {key: visitor.contact_id for key, visitor in known.items() if visitor.contact_id})
    return len(kept)


def _store(kept: list[TrackedEvent], contacts: Known) -> None:
    visits = [_document(event, contacts.get(_key(event))) for event in kept]
    were_known = VisitorEvent.store(visits)
    unknown = {_key(visit) for visit in visits} - contacts.keys()
    late = Visitor.contacts_of(unknown) if unknown else {}
    for visit in visits:
        visit.contact_id = visit.contact_id or late.get(_key(visit))
    # A request that died left events without the contact that their visitor has got since.
    VisitorEvent.set_contacts(visit for visit in visits if were_known or _key(visit) in late)
    views = {visit.id: visit for visit in visits if visit.event_type == PAGE_VIEW}
    with events.batch():
        for view in views.values():
            pages.viewed(view)


def _key(event: TrackedEvent | VisitorEvent) -> str:
    return visitor_key(event.workspace_id, event.visitor_id)


def _document(event: TrackedEvent, contact_id: ObjectId | None) -> VisitorEvent:
    fields = event.model_dump(exclude={"timestamp"}, exclude_none=True)
    return VisitorEvent(**fields, happened_at=event.timestamp, contact_id=contact_id)
