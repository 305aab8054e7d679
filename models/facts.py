"""What conditions and texts may refer to: the event's payload, its contact and deal, by the API's names.

Which names there are for an event type stands in `services/automation/fields.py`.
"""

from __future__ import annotations

from typing import Any

from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.store import object_id


def of(record: EventRecord) -> dict[str, Any]:
    """`{"event": payload, "contact": {...}, "deal": {...}}`; without a contact or deal that one is empty."""
    return {
        "event": {"type": record.type, **record.payload},
        "contact": of_contact(_named(record, "contactId", Contact)),
        "deal": of_deal(_named(record, "dealId", Deal)),
    }


def _named(record: EventRecord, field: str, kind: Any) -> Any:
    """What the payload names, unless it is another workspace's."""
    known = object_id(record.payload.get(field))
    return kind.objects(id=known, workspace_id=record.workspace_id).first() if known else None


def of_contact(contact: Contact | None) -> dict[str, Any]:
    if contact is None:
        return {}
    return {
        "id": str(contact.id),
        "email": contact.email,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "company": contact.company,
        "companyId": str(contact.company_id) if contact.company_id else None,
        "jobTitle": contact.job_title,
        "phone": contact.phone,
        "status": contact.status,
        "lifecycleStage": contact.lifecycle_stage,
        "source": contact.source,
        "tags": list(contact.tags),
        "leadScore": contact.lead_score,
        "leadGrade": contact.lead_grade,
        "intentScore": contact.intent_score or 0,
        "assignedTo": str(contact.assigned_to) if contact.assigned_to else None,
        "customFields": dict(contact.custom_fields),
    }


def of_deal(deal: Deal | None) -> dict[str, Any]:
    if deal is None:
        return {}
    return {
        "id": str(deal.id),
        "title": deal.title,
        "stage": deal.stage,
        "status": deal.status,
        "assignedTo": str(deal.assigned_to) if deal.assigned_to else None,
    }
