"""A store that has fallen silent: no request waits for it longer than anybody waits for the request."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.workspace import Workspace
from tests.faults.proxy import Proxy
from web import patience

pytestmark = pytest.mark.usefixtures("stores")


def send_contact(client: FlaskClient, workspace_id: str) -> TestResponse:
    body = {"workspaceId": workspace_id, "email": "grace@navy.test"}
    return client.post("/api/public/crm/contacts", json=body)


def test_a_request_gives_up_a_store_that_has_fallen_silent_and_the_next_one_succeeds(
    client: FlaskClient, store_network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id = str(Workspace(name="Acme").save().id)
    monkeypatch.setattr(patience, "SECONDS", 0.5)
    store_network.stall()
    answer = send_contact(client, workspace_id)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")

    store_network.mend()
    monkeypatch.setattr(patience, "SECONDS", 25.0)
    assert send_contact(client, workspace_id).status_code == 200


def test_patience_ends_with_its_request(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 1e-9)
    assert client.get("/healthz").status_code == 200
    Workspace(name="Acme").save()  # on the same thread
