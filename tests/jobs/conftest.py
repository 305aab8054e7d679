"""Mailboxes on a real Dovecot, as accounts of a workspace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bson import ObjectId

from models.email_account import EmailAccount, MailServer
from tests.services.mail.conftest import PASSWORD, Account, account, dovecot_server

__all__ = ["account", "dovecot_server"]

WORKSPACE = ObjectId()
OWNER = ObjectId()


@pytest.fixture
def add_account(stores: None) -> Callable[..., EmailAccount]:
    """Store an EmailAccount for a mailbox on the test's Dovecot."""

    def add(mailbox: Account, password: str = PASSWORD) -> EmailAccount:
        server = MailServer(
            host="127.0.0.1",
            port=mailbox.server.port,
            username=mailbox.user,
            password=password,
            security="plain",
        )
        return EmailAccount(workspace_id=WORKSPACE, user_id=OWNER, address=mailbox.user, imap=server).save()

    return add
