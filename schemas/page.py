"""Events of a visitor on the tracked pages."""

from __future__ import annotations

from schemas.event import Event, Id, Moment, register


@register
class PageViewed(Event):
    """A visitor looked at a tracked page. In any order: what it brings about goes by its own time."""

    type = "page.viewed"
    unique_by = ("visit_id",)

    visit_id: Id  # the stored visitor event
    visitor_id: str
    url: str
    viewed_at: Moment  # by the visitor's clock, which may be some minutes fast
    contact_id: Id | None = None  # None: the visitor was not identified yet
