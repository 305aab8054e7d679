"""Events of a meeting."""

from __future__ import annotations

from schemas.event import Event, Id, Moment, register


class MeetingEvent(Event):
    about = ("meeting_id",)
    unique_by = ("meeting_id", "starts_at")  # moved to another time it counts again

    meeting_id: Id
    starts_at: Moment
    contact_id: Id | None = None  # the first of those who are invited and known to us
    deal_id: Id | None = None


@register
class MeetingScheduled(MeetingEvent):
    """A meeting was agreed on, or moved."""

    type = "meeting.scheduled"


@register
class MeetingUpcoming(MeetingEvent):
    """A meeting begins within the hour."""

    type = "meeting.upcoming"

    briefing_id: Id | None = None  # None: there is none
