"""What visitors do on the tracked pages. Safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from publishers.events import announce
from schemas.page import PageViewed
from schemas.visitor import VisitorIdentified
from schemas.visits import Visit, VisitsTracked


def tracked(workspace_id: ObjectId, visits: Sequence[Visit]) -> None:
    """What visitors of one workspace did, as one event; its reaction publishes the page views."""
    announce(VisitsTracked(workspace_id=str(workspace_id), visits=list(visits)))


def view(visit: VisitorEvent) -> PageViewed:
    """The event of a stored page view, which comes with many: for `consumers.bulk`."""
    return PageViewed(
        workspace_id=str(visit.workspace_id),
        visit_id=str(visit.id),
        visitor_id=visit.visitor_id,
        url=visit.url,
        viewed_at=visit.happened_at,
        contact_id=str(visit.contact_id) if visit.contact_id else None,
    )


def identified(workspace_id: ObjectId, visitor: Visitor) -> None:
    """One that is yet to be told. Each identification is told once: who comes back is told of anew."""
    event = VisitorIdentified(
        workspace_id=str(workspace_id), visitor_id=visitor.given_id, contact_id=str(visitor.contact_id)
    )
    announce(event, key=f"{event.type}:{visitor.untold}")
