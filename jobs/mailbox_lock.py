"""Stop using a mailbox that only its owner can mend, and say so once."""

from __future__ import annotations

import structlog

from models.email_account import EmailAccount
from models.notification import Notification

log = structlog.get_logger()


def lock(account: EmailAccount, reason: str) -> None:
    """Lock the mailbox and tell its owner. Safe to run twice and to die in: each episode is told of once."""
    Notification.notify(
        workspace_id=account.workspace_id,
        user_id=account.user_id,
        kind="mailbox_locked",
        message=f"{account.address} is no longer in use: {reason}",
        key=f"mailbox-locked:{account.id}:{account.locks}",
    )
    if account.lock(reason):
        log.error("❌ mailbox locked", account_id=str(account.id), reason=reason)
