"""What happens to the connections to other systems. Safe to repeat within an episode."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId

from publishers.events import announce
from schemas.integration import IntegrationTokenFailed


def token_failed(
    workspace_id: ObjectId,
    credential_id: ObjectId,
    *,
    provider: str,
    reason: str,
    at: datetime,
    user_id: ObjectId | None = None,
) -> None:
    """`reason`: the vendor's error code, never a token. `at`: when the episode began."""
    announce(
        IntegrationTokenFailed(
            workspace_id=str(workspace_id),
            credential_id=str(credential_id),
            provider=provider,
            reason=reason,
            failed_at=at,
            user_id=str(user_id) if user_id else None,
        )
    )
