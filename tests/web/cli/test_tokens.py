"""`flask tokens …`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from models.api_token import ApiToken
from models.workspace import Workspace

FlaskRun = Callable[..., Result]


@pytest.fixture
def workspace(stores: None) -> Workspace:
    return Workspace(name="Acme").save()


def status(app: Flask, workspace: Workspace, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return app.test_client().get(f"/api/workspaces/{workspace.id}/triggers", headers=headers).status_code


def test_a_created_token_opens_its_workspace_and_is_shown_once(
    app: Flask, workspace: Workspace, flask: FlaskRun, flask_json: Callable[..., Any]
) -> None:
    result = flask("tokens", "create", str(workspace.id), "--name", "CRM")
    token = result.stdout.strip()
    assert status(app, workspace, token) == 200
    assert "nobody can show it again" in result.stderr

    (listed,) = flask_json("tokens", "list", str(workspace.id))
    assert (listed["name"], listed["revoked_at"]) == ("CRM", None)
    assert listed["used_at"]
    assert token not in flask("tokens", "list").output
    assert "CRM" in flask("tokens", "list").output


def test_a_revoked_token_ends_at_once(
    app: Flask, workspace: Workspace, flask: FlaskRun, flask_json: Callable[..., Any]
) -> None:
    made = flask_json("tokens", "create", str(workspace.id), "--name", "CRM")
    assert flask_json("tokens", "revoke", made["id"]) == {"id": made["id"], "revoked": True}

    assert status(app, workspace, made["token"]) == 401
    assert "was revoked before" in flask("tokens", "revoke", made["id"]).output
    assert "revoked" in flask("tokens", "list").output


@pytest.mark.parametrize("bad", ["x", "0" * 24])
def test_what_does_not_exist_is_one_line(stores: None, flask: FlaskRun, bad: str) -> None:
    for arguments in (("create", bad, "--name", "x"), ("list", bad), ("revoke", bad)):
        result = flask("tokens", *arguments)
        assert result.exit_code == 1
        assert bad in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert ApiToken.objects.count() == 0


def test_the_list_of_none_says_so(flask: FlaskRun) -> None:
    assert "There is no token." in flask("tokens", "list").output
