"""What the intent score tells. Safe to repeat."""

from __future__ import annotations

from models.contact import Contact
from publishers.events import announce
from schemas.intent import IntentThresholdCrossed, Level


def threshold_crossed(contact: Contact, level: Level, *, previous: Level, score: int, occasion: str) -> None:
    announce(
        IntentThresholdCrossed(
            workspace_id=str(contact.workspace_id),
            contact_id=str(contact.id),
            level=level,
            previous_level=previous,
            score=score,
            occasion=occasion,
        )
    )
