"""Events of the connections to other systems."""

from __future__ import annotations

from schemas.event import Event, Id, Moment, register


@register
class IntegrationTokenFailed(Event):
    """Access to another system was withdrawn or lapsed; somebody has to connect it again."""

    type = "integration.token_failed"
    unique_by = ("credential_id", "failed_at")
    about = ("credential_id",)

    credential_id: Id
    provider: str
    reason: str  # the vendor's error code, like invalid_grant; never a token
    failed_at: Moment  # when this episode began
    user_id: Id | None = None  # who connected it
