"""Events of a visitor on the tracked pages."""

from __future__ import annotations

from schemas.event import Event, Id, register


@register
class PageViewed(Event):
    type = "page.viewed"

    visit_id: Id  # the stored visitor event
    visitor_id: str
    url: str
    contact_id: Id | None = None  # None: the visitor is not identified yet

    @property
    def key(self) -> str:
        return f"{self.type}:{self.visit_id}"
