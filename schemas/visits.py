"""What visitors did on the tracked pages, as a browser sends it: in batches."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from schemas.event import Event, Moment, register


class Visit(BaseModel):
    """One thing that a visitor did."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    visitor_id: str
    session_id: str
    event_type: str
    event_name: str
    url: str
    happened_at: Moment  # by the visitor's clock, which may be some minutes fast
    referrer: str | None = None
    properties: dict[str, Any] = {}
    device: dict[str, Any] = {}
    utm: dict[str, Any] = {}
    sdk_version: str | None = None


@register
class VisitsTracked(Event):
    """A browser sent what visitors did who may be tracked. Its page views are events of their own."""

    type = "visits.tracked"
    passing = ("visits",)  # they are stored by then: not all of it twice

    visits: list[Visit]

    @property
    def key(self) -> str:
        """Of its content: a client's retry sends the same batch."""
        content = self.model_dump_json(by_alias=True, exclude_none=True)
        return f"{self.type}:{self.workspace_id}:{hashlib.sha256(content.encode()).hexdigest()}"
