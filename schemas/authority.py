"""Who is the authority for a fact, and so who may publish its event.

What people do in the CRM, the CRM tells us. What stands here we find out ourselves: who told us of it could
only repeat us, or contradict us, and the points, levels and notices that follow would be made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Type -> where it comes from. Over HTTP these are refused by name.
OURS: Mapping[str, str] = MappingProxyType(
    {
        "contact.recycled": "`lead-recycling`, by the workspace's rules",
        "contact.score_changed": "the scoring of a new or changed contact",
        "deal.stale": "`stale-deal-alert`, by the workspace's rules",
        "email.received": "`email-sync`, from the mailbox",
        "email.replied": "`email-sync`, from the mailbox",
        "email.forwarded": "`email-sync`, from the mailbox",
        "email.bounced": "`email-sync`, from the mailbox",
        "integration.token_failed": "the connection itself, when the vendor refuses it",
        "intent.threshold_crossed": "the intent score, which is the sum of what we counted",
        "page.viewed": "the visits of `POST /api/public/track/event`, each stored first",
        "sequence.completed": "the enrolment, which we end",
        "visitor.identified": "`POST /api/public/track/identify` and forms, which link the visitor first",
        "visits.tracked": "`POST /api/public/track/event`, which asks for consent",
        "workflow.completed": "the automation's own run",
    }
)

# What the CRM tells us and we, too, where it happens with us.
ALSO_OURS: Mapping[str, str] = MappingProxyType(
    {
        "activity.logged": "`POST /api/public/crm/activities`",
        "contact.created": "the public API, forms",
        "contact.updated": "the public API, forms, automations",
        "contact.deleted": "the erasure of a person",
        "contact.lifecycle_changed": "`lifecycle-progression`, automations",
        "contact.owner_assigned": "the round robin for new contacts, automations",
        "demo.requested": "`POST /api/public/crm/activities`",
        "email.unsubscribed": "`flask contacts unsubscribe`",
        "form.submitted": "`POST /api/public/crm/forms/:formId/submit`",
        "opportunity.created": "`POST /api/public/crm/opportunities`",
        "task.created": "what creates one: automations, demo requests, quiet deals, recycled leads",
        "task.completed": "the end of a deal's silence",
    }
)
