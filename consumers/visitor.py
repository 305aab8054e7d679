"""What follows when a visitor turns out to be a contact."""

from __future__ import annotations

from collections.abc import Iterator

from bson import ObjectId

from consumers import activity, interest, page
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.event import EventRecord
from models.visitor_event import VisitorEvent
from publishers import pages
from schemas.visitor import VisitorIdentified

BATCH = 500  # page views per round, which costs two queries and one job, or two queries and an update


@reacts_to(VisitorIdentified)
@hands_on
def log_earlier_views(event: VisitorIdentified, delivery: Delivery) -> Jobs:
    """What it looked at before is in the contact's timeline. Safe to run twice, like the counting."""
    return [
        job
        for seen in _batches(event)
        for job in activity.all_logged([page.timeline_entry(view, mine) for view, mine in seen], delivery)
    ]


@reacts_to(VisitorIdentified)
def count_earlier_views(event: VisitorIdentified, _delivery: Delivery) -> None:
    """What it looked at before counts for the contact as if it had been known then.

    Safe to run twice: what a page view brings about has the key of that view's own event, whoever brings it
    about. A view whose event is no longer in the ledger is too old to count.
    """
    for seen in _batches(event):
        sources = [interest.view(view, mine) for view, mine in seen]
        interest.count(event.workspace_id, {ObjectId(event.contact_id): sources})


def _batches(event: VisitorIdentified) -> Iterator[list[page.Seen]]:
    mine, last = (ObjectId(event.workspace_id), event.visitor_id, ObjectId(event.contact_id)), None
    while stored := VisitorEvent.views_of(*mine, after=last, limit=BATCH):
        views = {view.key: view for view in map(pages.view, stored)}
        records = EventRecord.by_keys([key for key in views if key])
        if records:
            yield [(views[r.key], Delivery(str(r.id), r.correlation_id, r.accepted_at)) for r in records]
        last = stored[-1].id
