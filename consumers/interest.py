"""Reactions to what shows interest: it is counted in the contact's intent score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from consumers import page
from consumers.registry import Delivery, reacts_to, takes_many
from models import contact_intent
from models.business_profile import BusinessProfile
from models.intent import Kind, Source
from publishers import intent
from schemas.demo import DemoRequested
from schemas.email import EmailClicked, EmailOpened
from schemas.form import FormSubmitted
from schemas.page import PageViewed
from schemas.rules import IntentRules


@reacts_to(PageViewed)
@takes_many
def count_page_views(views: Sequence[page.Seen]) -> None:
    """Those of visitors who are known by now. Safe to run twice, see `count`."""
    sources: dict[ObjectId, list[Source]] = {}
    for event, delivery in page.known(views):
        sources.setdefault(ObjectId(event.contact_id), []).append(view(event, delivery))
    if sources:
        count(views[0][0].workspace_id, sources)


@reacts_to(EmailOpened, EmailClicked)
def count_hit(event: EmailOpened | EmailClicked, delivery: Delivery) -> None:
    """Not of a machine: scanners open and follow everything. Safe to run twice, see `count`."""
    if event.is_machine:
        return
    kind: Kind = "email_open" if isinstance(event, EmailOpened) else "link_click"
    at = event.opened_at if isinstance(event, EmailOpened) else event.clicked_at
    source = Source(ObjectId(delivery.event_id), kind, min(at, delivery.accepted_at))
    _count_one(event.workspace_id, ObjectId(event.contact_id), source)


@reacts_to(FormSubmitted)
def count_submission(event: FormSubmitted, delivery: Delivery) -> None:
    """Safe to run twice, see `count`."""
    if event.contact_id:
        source = Source(ObjectId(delivery.event_id), "form_submission", delivery.accepted_at)
        _count_one(event.workspace_id, ObjectId(event.contact_id), source)


@reacts_to(DemoRequested)
def count_demo_request(event: DemoRequested, delivery: Delivery) -> None:
    """Safe to run twice, see `count`."""
    source = Source(ObjectId(delivery.event_id), "demo_request", delivery.accepted_at)
    _count_one(event.workspace_id, ObjectId(event.contact_id), source)


def view(event: PageViewed, delivery: Delivery) -> Source:
    """A page view as it counts."""
    return Source(ObjectId(delivery.event_id), "page_view", page.moment(event, delivery))


def count(workspace_id: str, sources: Mapping[ObjectId, Sequence[Source]]) -> None:
    """Count events for each contact, move its last-activity stamp, publish the levels that it reached.

    Three store commands, whatever their number. Safe to run twice and to die in: an event counts once, and
    what is to be published stands in the contact until it is.
    """
    workspace = ObjectId(workspace_id)
    rules = BusinessProfile.in_force(workspace, IntentRules)
    intent.crossed(contact_intent.count(workspace, sources, rules))


def _count_one(workspace_id: str, contact_id: ObjectId, source: Source) -> None:
    count(workspace_id, {contact_id: [source]})
