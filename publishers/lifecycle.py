"""The steps that contacts take along the lifecycle. Safe to repeat."""

from __future__ import annotations

from bson import ObjectId

from models.contact_lifecycle import Steps
from publishers.events import announce, batch
from schemas.contact import ContactLifecycleChanged, Stage


def changed(
    workspace_id: ObjectId,
    contact_id: ObjectId,
    stage: Stage,
    *,
    previous: Stage | None,
    occasion: str,
) -> None:
    announce(
        ContactLifecycleChanged(
            workspace_id=str(workspace_id),
            contact_id=str(contact_id),
            stage=stage,
            previous_stage=previous,
            occasion=occasion,
        )
    )


def stepped(workspace_id: ObjectId, steps: Steps) -> None:
    """An event for each step, all accepted with one command."""
    with batch():
        for contact_id, taken in steps.items():
            for step in taken:
                changed(
                    workspace_id,
                    contact_id,
                    step["stage"],
                    previous=step["previous_stage"],
                    occasion=step["occasion"],
                )
