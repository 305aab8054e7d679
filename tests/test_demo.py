"""The demo workspace, as a newcomer uses it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from models.trigger import Trigger
from services.automation.definition import Definition
from web import demo_data
from web.automations import shapes

WORKSPACE = str(demo_data.WORKSPACE_ID)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8080", "http://localhost"])
def test_a_page_on_this_machine_may_use_the_public_api(client: FlaskClient, origin: str) -> None:
    demo_data.load()
    answer = client.post(
        "/api/public/crm/contacts",
        json={"workspaceId": WORKSPACE, "email": "page@visitor.test", "source": "form"},
        headers={"Origin": origin},
    )
    assert answer.status_code < 300, answer.json
    assert answer.headers["Access-Control-Allow-Origin"] == origin


def test_a_page_from_elsewhere_may_not(client: FlaskClient) -> None:
    demo_data.load()
    answer = client.post(
        "/api/public/crm/contacts",
        json={"workspaceId": WORKSPACE, "email": "page@visitor.test"},
        headers={"Origin": "https://evil.test"},
    )
    assert answer.status_code == 403


def test_the_demos_automations_are_such_as_the_api_accepts(client: FlaskClient) -> None:
    demo_data.load()
    found = [shapes.trigger(trigger) for trigger in Trigger.objects]
    assert found
    for shape in found:
        given = {name: shape[name] for name in shape if name not in ("id", "createdAt", "updatedAt")}
        Definition.model_validate(given)
