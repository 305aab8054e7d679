"""What happens to a meeting. Safe to repeat: one that is moved counts again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId

from publishers.events import announce
from schemas.meeting import MeetingScheduled, MeetingUpcoming


def scheduled(
    workspace_id: ObjectId,
    meeting_id: ObjectId,
    *,
    starts_at: datetime,
    contact_id: ObjectId | None = None,
    deal_id: ObjectId | None = None,
) -> None:
    """`contact_id`: the first of those who are invited and known to us."""
    announce(MeetingScheduled(**_of(workspace_id, meeting_id, contact_id, deal_id), starts_at=starts_at))


def upcoming(
    workspace_id: ObjectId,
    meeting_id: ObjectId,
    *,
    starts_at: datetime,
    contact_id: ObjectId | None = None,
    deal_id: ObjectId | None = None,
    briefing_id: ObjectId | None = None,
) -> None:
    """It begins within the hour."""
    about = _of(workspace_id, meeting_id, contact_id, deal_id)
    briefing = str(briefing_id) if briefing_id else None
    announce(MeetingUpcoming(**about, starts_at=starts_at, briefing_id=briefing))


def _of(
    workspace_id: ObjectId, meeting_id: ObjectId, contact_id: ObjectId | None, deal_id: ObjectId | None
) -> dict[str, Any]:
    return {
        "workspace_id": str(workspace_id),
        "meeting_id": str(meeting_id),
        "contact_id": str(contact_id) if contact_id else None,
        "deal_id": str(deal_id) if deal_id else None,
    }
