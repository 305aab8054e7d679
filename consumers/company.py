"""Contacts who name the same company belong together: its timeline is theirs."""

from __future__ import annotations

from bson import ObjectId

from consumers.registry import Delivery, reacts_to
from models.company import Company
from models.contact import Contact
from schemas.contact import ContactCreated, ContactUpdated


@reacts_to(ContactCreated, ContactUpdated)
def join_company(event: ContactCreated | ContactUpdated, _delivery: Delivery) -> None:
    """Unless it belongs to one, and its name is the same. Safe to run twice, see `Company.join`."""
    mine = {"id": ObjectId(event.contact_id), "workspace_id": ObjectId(event.workspace_id)}
    contact = Contact.objects(**mine).first()
    if contact and (contact.company_id is None or "company" in getattr(event, "changed", ())):
        Company.join(contact)
