"""Reactions to what happens to a contact."""

from __future__ import annotations

from bson import ObjectId

from consumers import activity, named
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.contact import Contact
from models.workspace import Workspace
from publishers import contacts
from queues.enqueue import NewJob
from queues.names import EMAIL_SYNC
from schemas.contact import ContactCreated, ContactUpdated
from services import lead_score


@reacts_to(ContactCreated, ContactUpdated)
def score_lead(event: ContactCreated | ContactUpdated, delivery: Delivery) -> None:
    """A new grade is published before it is stored.

    Safe to run twice: the score is a function of the contact's fields, and an event brings one grade.
    """
    contact = named.find(Contact, event, event.contact_id)
    if contact is None:  # deleted since
        return
    result = lead_score.score(
        email=contact.email,
        first_name=contact.first_name,
        last_name=contact.last_name,
        company=contact.company,
        job_title=contact.job_title,
        phone=contact.phone,
        source=contact.source,
    )
    if result.grade != contact.lead_grade:
        contacts.score_changed(
            contact, result.value, result.grade, previous=contact.lead_grade, occasion=_occasion(delivery)
        )
    contact.record_score(result.value, result.grade, result.reasons, result.version)


@reacts_to(ContactCreated)
def assign_owner(event: ContactCreated, delivery: Delivery) -> None:
    """Round robin among the active members.

    Safe to run twice: a contact that has an owner keeps it, and remembers from where, so that it is told
    though the worker died before it was.
    """
    contact = named.find(Contact, event, event.contact_id)
    if contact and contact.assigned_to is None:
        contact = _with_owner(contact, _occasion(delivery))
    if contact and contact.assigned_to and contact.owner_occasion == _occasion(delivery):
        contacts.owner_assigned(
            contact, contact.assigned_to, method="round_robin", occasion=contact.owner_occasion
        )


def _with_owner(contact: Contact, occasion: str) -> Contact | None:
    workspace = Workspace.objects(id=contact.workspace_id).first()
    owner = workspace.next_owner() if workspace else None
    if owner:
        contact.assign(owner.user_id, occasion)
    found: Contact | None = Contact.objects(id=contact.id).first()
    return found


def _occasion(delivery: Delivery) -> str:
    return f"event:{delivery.event_id}"


@reacts_to(ContactCreated)
@hands_on
def send_welcome_email(event: ContactCreated, delivery: Delivery) -> Jobs:
    """If the workspace has one; never to imported contacts. Safe to run twice: one job per contact."""
    if event.source == "import":
        return []
    if not Workspace.objects(id=ObjectId(event.workspace_id), welcome_email__ne=None).only("id").first():
        return []
    if not named.find(Contact, event, event.contact_id, "id"):  # the job writes to whomever it finds
        return []
    return [
        NewJob(
            queue=EMAIL_SYNC,
            func="jobs.welcome_email.send",
            id=f"welcome-{event.contact_id}",
            kwargs={"contact_id": event.contact_id},
            description="welcome e-mail",
            meta={**delivery.meta, "workspace_id": event.workspace_id},
        )
    ]


@reacts_to(ContactCreated)
@hands_on
def log_activity(event: ContactCreated, delivery: Delivery) -> Jobs:
    """Enter it in the timeline. Safe to run twice: entered once."""
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="contact_created",
        title=f"Contact created ({event.source})",
    )
