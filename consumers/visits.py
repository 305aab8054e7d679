"""What follows a batch of visits: they are stored, and the page views among them handled at once."""

from __future__ import annotations

from bson import ObjectId

from consumers import bulk
from consumers.registry import Delivery, reacts_to
from models.visitor import Visitor, visitor_key
from models.visitor_event import PAGE_VIEW, VisitorEvent
from publishers import pages
from schemas.visits import Visit, VisitsTracked


@reacts_to(VisitsTracked)
def store_visits(event: VisitsTracked, delivery: Delivery) -> None:
    """Store them, those of identified visitors with their contact. Safe to run twice: their ids are hashes.

    The visitors are looked up after the insert, and who identifies one works the other way round: whichever
    of the two comes second, the visits get their contact. Of one who has refused by now nothing stays: web
    processes may not have heard of it for some seconds.
    """
    if not event.visits:  # replayed: the ledger holds them no more
        return
    workspace_id = ObjectId(event.workspace_id)
    visits = [_document(workspace_id, visit, delivery) for visit in event.visits]
    VisitorEvent.store(visits)
    visits = _with_contacts(visits)
    VisitorEvent.set_contacts(visits)
    views = {visit.id: visit for visit in visits if visit.event_type == PAGE_VIEW}
    bulk.publish([pages.view(visit) for visit in views.values()])


def _with_contacts(visits: list[VisitorEvent]) -> list[VisitorEvent]:
    """Those whose visitors have not refused."""
    visitors = Visitor.known({_key(visit) for visit in visits})
    refused = {key for key, visitor in visitors.items() if visitor.consent is False}
    if refused:
        VisitorEvent.withdraw([visit for visit in visits if _key(visit) in refused])
    kept = [visit for visit in visits if _key(visit) not in refused]
    for visit in kept:
        visitor = visitors.get(_key(visit))
        visit.contact_id = visitor.contact_id if visitor else None
    return kept


def _document(workspace_id: ObjectId, visit: Visit, delivery: Delivery) -> VisitorEvent:
    fields = visit.model_dump(exclude_none=True)
    return VisitorEvent(**fields, workspace_id=workspace_id, received_at=delivery.accepted_at)


def _key(visit: VisitorEvent) -> str:
    return visitor_key(visit.workspace_id, visit.visitor_id)
