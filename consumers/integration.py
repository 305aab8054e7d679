"""Reactions to the loss of a connection to another system."""

from __future__ import annotations

from consumers import notices
from consumers.registry import Delivery, reacts_to
from schemas.integration import IntegrationTokenFailed


@reacts_to(IntegrationTokenFailed)
def tell_who_connected_it(event: IntegrationTokenFailed, delivery: Delivery) -> None:
    """And the admins. Safe to run twice: told once."""
    for user_id in {event.user_id, None}:
        notices.tell(
            delivery,
            workspace_id=event.workspace_id,
            user_id=user_id,
            kind="integration_token_failed",
            message=f"{event.provider} refuses access ({event.reason}): connect it again",
        )
