"""What people and clients enter in a timeline. Safe to repeat."""

from __future__ import annotations

from models.activity import Activity
from publishers.events import announce
from schemas.activity import ActivityLogged
from schemas.demo import DemoRequested


def logged(activity: Activity) -> None:
    announce(
        ActivityLogged(
            **_of(activity),
            activity_id=str(activity.id),
            kind=activity.kind,
            happened_at=activity.happened_at,
        )
    )


def demo_requested(activity: Activity) -> None:
    announce(DemoRequested(**_of(activity), request_id=str(activity.id)))


def _of(activity: Activity) -> dict[str, str]:
    return {"workspace_id": str(activity.workspace_id), "contact_id": str(activity.contact_id)}
