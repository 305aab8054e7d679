"""A workspace, a token of it, and a client that uses its private API."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.api_token import ApiToken
from models.workspace import Member, Workspace


class Api:
    """The private API of one workspace, with one of its tokens."""

    def __init__(self, client: FlaskClient, workspace: Workspace):
        self.client, self.workspace = client, workspace
        self.base = f"/api/workspaces/{workspace.id}"
        self.token, self.text = ApiToken.create(workspace.id, "tests")

    def call(self, method: str, path: str = "/triggers", **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.text}"} | options.pop("headers", {})
        return self.client.open(self.base + path, method=method, headers=headers, **options)

    def get(self, path: str = "/triggers") -> TestResponse:
        return self.call("GET", path)

    def create(self, **fields: Any) -> TestResponse:
        return self.call("POST", json=definition(**fields))

    def created(self, **fields: Any) -> str:
        """The id of a new trigger."""
        answer = self.create(**fields)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["data"]["id"])

    def refusal(self, **fields: Any) -> str:
        """What a refused trigger is told."""
        answer = self.create(**fields)
        assert answer.status_code == 422, answer.text
        assert answer.get_json()["success"] is False
        return str(answer.get_json()["message"])


def definition(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Greet",
        "eventType": "contact.created",
        "conditions": [{"field": "event.source", "operator": "equals", "value": "form"}],
        "actions": [{"type": "notify", "message": "{{contact.firstName|Somebody}} is here"}],
    } | fields


def new_workspace(name: str = "Acme") -> Workspace:
    return Workspace(name=name, members=[Member(name="Ada", email="ada@acme.test")]).save()


@pytest.fixture
def api(client: FlaskClient) -> Api:
    return Api(client, new_workspace())


@pytest.fixture
def other(client: FlaskClient) -> Api:
    """Another tenant's."""
    return Api(client, new_workspace("Other"))
