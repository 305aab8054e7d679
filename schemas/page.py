"""Events of a visitor on the tracked pages."""

from __future__ import annotations

from pydantic import AwareDatetime

from schemas.event import Event, Id, register


@register
class PageViewed(Event):
    type = "page.viewed"

    visit_id: Id  # the stored visitor event
    visitor_id: str
    url: str
    viewed_at: AwareDatetime  # by the visitor's clock, which may be some minutes fast
    contact_id: Id | None = None  # None: the visitor was not identified yet

    @property
    def key(self) -> str:
        return f"{self.type}:{self.visit_id}"
