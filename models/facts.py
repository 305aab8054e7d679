"""What conditions and texts may refer to: the event's payload and its contact, with the API's names."""

from __future__ import annotations

from typing import Any

from models.contact import Contact
from models.event import EventRecord
from models.store import object_id


def of(record: EventRecord) -> dict[str, Any]:
    """`{"event": payload, "contact": {...}}`; without a contact the latter is empty."""
    contact_id = object_id(record.payload.get("contactId"))
    contact = Contact.objects(id=contact_id, workspace_id=record.workspace_id).first() if contact_id else None
    return {"event": {"type": record.type, **record.payload}, "contact": of_contact(contact)}


def of_contact(contact: Contact | None) -> dict[str, Any]:
    if contact is None:
        return {}
    return {
        "id": str(contact.id),
        "email": contact.email,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "company": contact.company,
        "jobTitle": contact.job_title,
        "phone": contact.phone,
        "status": contact.status,
        "lifecycleStage": contact.lifecycle_stage,
        "source": contact.source,
        "tags": list(contact.tags),
        "leadScore": contact.lead_score,
        "leadGrade": contact.lead_grade,
        "assignedTo": str(contact.assigned_to) if contact.assigned_to else None,
        "customFields": dict(contact.custom_fields),
    }
