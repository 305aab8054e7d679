"""What the intent score tells. Safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from models import contact_intent
from models.contact_intent import Crossed
from publishers.events import announce, batch
from schemas.intent import IntentThresholdCrossed, Level

AT_ONCE = 250  # contacts whose events are in memory, and travel, together


def threshold_crossed(
    workspace_id: ObjectId,
    contact_id: ObjectId,
    level: Level,
    *,
    previous: Level,
    score: int,
    occasion: str,
) -> None:
    announce(
        IntentThresholdCrossed(
            workspace_id=str(workspace_id),
            contact_id=str(contact_id),
            level=level,
            previous_level=previous,
            score=score,
            occasion=occasion,
        )
    )


def crossed(contacts: Sequence[Crossed]) -> int:
    """Publish the levels that contacts reached, then forget them; returns how many contacts.

    Two store commands per 250 contacts.
    """
    for start in range(0, len(contacts), AT_ONCE):
        some = contacts[start : start + AT_ONCE]
        with batch():
            for contact in some:
                _publish(contact)
        contact_intent.announced(some)
    return len(contacts)


def _publish(contact: Crossed) -> None:
    for crossing in contact.crossings:
        threshold_crossed(
            contact.workspace_id,
            contact.contact_id,
            crossing["level"],
            previous=crossing["previous_level"],
            score=crossing["score"],
            occasion=crossing["occasion"],
        )
