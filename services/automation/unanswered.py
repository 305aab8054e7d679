"""Events that no automation answers with a mail: machines that answer machines never end (RFC 3834)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEVER = {
    "email.bounced": "a mail that came back is never answered by a machine",
    "email.unsubscribed": "who wants no more mail gets none, not even about that",
}
AUTO_REPLY = "an automatic reply is never answered by a machine"


def reason(event: Mapping[str, Any]) -> str | None:
    """Why the event, as conditions see it, must not be answered by mail; None when it may be."""
    if event["type"] == "email.received" and event.get("kind") == "auto-reply":
        return AUTO_REPLY
    return NEVER.get(event["type"])
