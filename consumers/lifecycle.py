"""Reactions to what may make a step along the lifecycle due: the contact is marked, to be looked at.

Each runs after the fact is stored that the rules ask for. More interest and another grade mark the contact
with the write that stores them (`models.contact_intent`, `Contact.record_score`), won deals in
`consumers.opportunity`.
"""

from __future__ import annotations

from bson import ObjectId

from consumers.registry import Delivery, reacts_to
from models import contact_lifecycle
from models.deal import Deal
from schemas.activity import ActivityLogged
from schemas.contact import ContactLifecycleChanged, ContactUpdated
from schemas.form import FormSubmitted
from schemas.opportunity import OpportunityCreated, OpportunityUpdated

PEOPLES = {"lifecycleStage", "manualOverride", "leadGrade"}  # fields that people change


@reacts_to(FormSubmitted, ActivityLogged)
def mark_contact(event: FormSubmitted | ActivityLogged, _delivery: Delivery) -> None:
    """Of any form and any entry: which ones count, the workspace may change. Safe to run twice."""
    if event.contact_id:
        mark(event.workspace_id, event.contact_id)


@reacts_to(ContactUpdated)
def mark_updated(event: ContactUpdated, _delivery: Delivery) -> None:
    """When somebody moved it, or left it to the rules again. Safe to run twice."""
    if PEOPLES & set(event.changed):
        mark(event.workspace_id, event.contact_id)


@reacts_to(ContactLifecycleChanged)
def mark_moved(event: ContactLifecycleChanged, _delivery: Delivery) -> None:
    """When somebody moved it, the next step may be due; the rules take all at once. Safe to run twice."""
    if not event.occasion.startswith(contact_lifecycle.OCCASION):
        mark(event.workspace_id, event.contact_id)


@reacts_to(OpportunityCreated, OpportunityUpdated)
def mark_contacts(event: OpportunityCreated | OpportunityUpdated, _delivery: Delivery) -> None:
    """All that the deal is with. Safe to run twice."""
    mark_contacts_of(event.workspace_id, event.deal_id)


def mark_contacts_of(workspace_id: str, deal_id: str) -> None:
    """Something is stored of the deal by which a step of its contacts may be due. Safe to run twice."""
    workspace = ObjectId(workspace_id)
    deal = Deal.objects(id=ObjectId(deal_id), workspace_id=workspace).only("contact_ids").first()
    if deal and deal.contact_ids:
        contact_lifecycle.mark(workspace, deal.contact_ids)


def mark(workspace_id: str, contact_id: str) -> None:
    contact_lifecycle.mark(ObjectId(workspace_id), [ObjectId(contact_id)])
