"""The demo workspace, as a newcomer uses it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from web import demo_data

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
