"""What follows a batch of visits: they are stored, and the page views among them handled at once."""

from __future__ import annotations

from bson import ObjectId

from consumers import bulk
from consumers.registry import Delivery, reacts_to
from models.visitor import Visitor, visitor_key
from models.visitor_event import PAGE_VIEW, VisitorEvent
from schemas.page import PageViewed
from schemas.visits import Visit, VisitsTracked


@reacts_to(VisitsTracked)
def store_visits(event: VisitsTracked, delivery: Delivery) -> None:
    """Store them, those of identified visitors with their contact. Safe to run twice: their ids are hashes.

    The visitors are looked up after the insert, and who identifies one works the other way round: whichever
    of the two comes second, the visits get their contact.
    """
    workspace_id = ObjectId(event.workspace_id)
    visits = [_document(workspace_id, visit, delivery) for visit in event.visits]
    VisitorEvent.store(visits)
    contacts = Visitor.contacts_of({_key(visit) for visit in visits})
    for visit in visits:
        visit.contact_id = contacts.get(_key(visit))
    VisitorEvent.set_contacts(visits)
    views = {visit.id: visit for visit in visits if visit.event_type == PAGE_VIEW}
    bulk.publish([as_event(visit) for visit in views.values()])


def as_event(visit: VisitorEvent) -> PageViewed:
    """The event of a page view, with the contact that it has by now."""
    return PageViewed(
        workspace_id=str(visit.workspace_id),
        visit_id=str(visit.id),
        visitor_id=visit.visitor_id,
        url=visit.url,
        viewed_at=visit.happened_at,
        contact_id=str(visit.contact_id) if visit.contact_id else None,
    )


def _document(workspace_id: ObjectId, visit: Visit, delivery: Delivery) -> VisitorEvent:
    fields = visit.model_dump(exclude_none=True)
    return VisitorEvent(**fields, workspace_id=workspace_id, received_at=delivery.accepted_at)


def _key(visit: VisitorEvent) -> str:
    return visitor_key(visit.workspace_id, visit.visitor_id)
