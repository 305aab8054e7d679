"""Reactions to what happens to a contact."""

from __future__ import annotations

from bson import ObjectId

from consumers import activity
from consumers.registry import Delivery, reacts_to
from models.contact import Contact
from models.workspace import Workspace
from publishers import contacts
from queues.enqueue import NewJob, enqueue
from queues.names import EMAIL_SYNC
from schemas.contact import ContactCreated, ContactUpdated
from services import lead_score


@reacts_to(ContactCreated, ContactUpdated)
def score_lead(event: ContactCreated | ContactUpdated, delivery: Delivery) -> None:
    """Score it, and tell when the grade is another one, the first included.

    Safe to run twice: the score is a function of the contact's fields, and what is told of it, before it is
    stored, is one event.
    """
    contact = Contact.objects(id=ObjectId(event.contact_id)).first()
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
            contact,
            result.value,
            result.grade,
            previous=contact.lead_grade,
            occasion=f"event:{delivery.event_id}",
        )
    contact.record_score(result.value, result.grade, result.reasons, result.version)


@reacts_to(ContactCreated)
def assign_owner(event: ContactCreated, _delivery: Delivery) -> None:
    """Round robin among the active members. Safe to run twice: a contact that has an owner keeps it."""
    contact = Contact.objects(id=ObjectId(event.contact_id), assigned_to=None).first()
    workspace = Workspace.objects(id=ObjectId(event.workspace_id)).first()
    if contact is None or workspace is None:
        return
    owner = workspace.next_owner()
    if owner:
        contact.assign(owner.user_id)


@reacts_to(ContactCreated)
def send_welcome_email(event: ContactCreated, delivery: Delivery) -> None:
    """Enqueue the welcome e-mail if the workspace has one; never for imports. Safe: one job per contact."""
    if event.source == "import":
        return
    if not Workspace.objects(id=ObjectId(event.workspace_id), welcome_email__ne=None).only("id").first():
        return
    enqueue(
        NewJob(
            queue=EMAIL_SYNC,
            func="jobs.welcome_email.send",
            id=f"welcome-{event.contact_id}",
            kwargs={"contact_id": event.contact_id},
            description="welcome e-mail",
            meta={**delivery.meta, "workspace_id": event.workspace_id},
        )
    )


@reacts_to(ContactCreated)
def log_activity(event: ContactCreated, delivery: Delivery) -> None:
    activity.log_later(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="contact_created",
        title=f"Contact created ({event.source})",
    )
