"""flask mailboxes …, on the sandbox's real mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import email_sync
from models.email_account import EmailAccount, MailServer
from models.workspace import Workspace
from sandbox import mail_server
from sandbox.process import Server, free_port
from tests.web.cli.conftest import Flask_

US, PASSWORD = "ada@acme.test", "open sesame"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("mail")
    server = mail_server.server(folder, free_port(), free_port(), {US: PASSWORD})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mailbox(stores: None, server: Server) -> EmailAccount:
    """A mailbox with a wrong password, which the sync has locked."""
    smtp_port = int(server.command[server.command.index("--smtp-port") + 1])
    there = {"host": "127.0.0.1", "username": US, "password": "wrong", "security": "plain"}
    workspace = Workspace(name="Acme").save()
    account = EmailAccount(
        workspace_id=workspace.id,
        user_id=workspace.id,
        address=US,
        imap=MailServer(port=server.port, **there),
        smtp=MailServer(port=smtp_port, **there),
    ).save()
    assert email_sync.sync(str(account.id))["outcome"] == "locked"
    return account


def test_the_list_tells_which_mailboxes_are_locked_and_why(
    flask: Flask_, flask_json: Callable[..., Any], mailbox: EmailAccount
) -> None:
    (shown,) = flask_json("mailboxes", "list", "--status", "locked")
    assert (shown["address"], shown["status"]) == (US, "locked")
    assert "refuses the sign-in" in shown["reason"]
    assert PASSWORD not in flask("mailboxes", "list").output
    assert flask_json("mailboxes", "list", "--status", "active") == []


def test_a_locked_mailbox_is_synced_again_after_unlock_with_the_right_password(
    flask: Flask_, mailbox: EmailAccount
) -> None:
    result = flask("mailboxes", "unlock", "Ada@acme.test", "--ask-password", input=f"{PASSWORD}\n")
    assert "is unlocked" in result.output
    assert PASSWORD not in result.output
    assert flask("mailboxes", "check", US).exit_code == 0
    assert email_sync.sync(str(mailbox.id))["outcome"] == "synced"
    assert "was not locked" in flask("mailboxes", "unlock", US).output


def test_check_says_what_the_server_says_and_changes_nothing(
    flask: Flask_, flask_json: Callable[..., Any], mailbox: EmailAccount
) -> None:
    result = flask("mailboxes", "check", US)
    assert result.exit_code == 1
    assert result.output.count("refuses the") == 2
    assert "wrong" not in result.output.replace("wrong user or password", "")
    assert mailbox.reload().status == "locked"


def test_an_unknown_mailbox_is_named(flask: Flask_) -> None:
    for command in ("check", "unlock"):
        result = flask("mailboxes", command, "nobody@acme.test")
        assert result.exit_code == 1
        assert "no workspace has a mailbox nobody@acme.test" in result.output
