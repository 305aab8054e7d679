"""What brings about the events that are published now: the event whose job runs, or the request.

The ids are those that structlog binds to the log lines of this thread, so that lines and events agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog


@dataclass(frozen=True)
class Cause:
    correlation_id: str | None = None  # shared by all that one request or one first event brings about
    event_id: str | None = None


def current() -> Cause:
    bound = structlog.contextvars.get_contextvars()
    return Cause(bound.get("correlation_id"), bound.get("event_id"))
