"""Reactions to the wish to see the product."""

from __future__ import annotations

from consumers import named
from consumers.registry import Delivery, reacts_to
from models.contact import Contact
from models.task import Task
from publishers import tasks
from schemas.demo import DemoRequested


@reacts_to(DemoRequested)
def create_task(event: DemoRequested, _delivery: Delivery) -> None:
    """For the contact's owner, who is told of it. Safe to run twice: one task per request."""
    contact = named.find(Contact, event, event.contact_id)
    if contact is None:  # deleted since
        return
    task = Task.create_once(
        workspace_id=contact.workspace_id,
        contact_id=contact.id,
        assigned_to=contact.assigned_to,
        title=f"Show {contact.full_name} the product",
        key=f"demo.requested:{event.workspace_id}:{event.request_id}",
    )
    tasks.created(task)
