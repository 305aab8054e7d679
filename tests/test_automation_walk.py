"""An automation's whole way: over HTTP in, through a real worker, and out to a real receiver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

import config
from models.task import Task
from tests.queues.conftest import StartWorker, start_worker
from tests.sink import Sink, listening
from tests.waiting import wait_until
from tests.web.automations.conftest import Api, new_workspace

__all__ = ["start_worker"]

WEBHOOKS = {"WEBHOOK_SECRET": "a secret of some length", "WEBHOOK_ALLOW_PRIVATE": "true"}


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    for name, value in WEBHOOKS.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    with listening() as sink:
        yield sink
    monkeypatch.undo()
    config.settings.cache_clear()


def test_a_failing_action_is_retried_alone_and_the_history_tells_it(
    client: FlaskClient, start_worker: StartWorker, sink: Sink
) -> None:
    api = Api(client, new_workspace())
    sink.answers[:] = [(503, {}), (204, {})]
    actions = [
        {"type": "webhook", "url": sink.url, "data": {"who": "{{contact.firstName}}"}},
        {"type": "create_task", "title": "Call {{contact.firstName}}"},
    ]
    trigger = api.created(actions=actions)
    start_worker(**WEBHOOKS)
    body = {"workspaceId": str(api.workspace.id), "email": "grace@navy.test", "firstName": "Grace"}
    assert client.post("/api/public/crm/contacts", json={**body, "source": "form"}).status_code == 200

    def run() -> dict[str, Any]:
        (run, *_) = api.get(f"/triggers/{trigger}/runs").get_json()["data"] or [{}]
        return dict(run)

    wait_until(lambda: run().get("status") == "done", timeout=20)
    webhook, task = run()["actions"]
    assert (webhook["tries"], task["tries"]) == (2, 1)
    assert webhook["note"] == "the receiver answered 204"
    assert len({request.headers["X-Clianta-Delivery"] for request in sink.requests}) == 1
    assert Task.objects.get().title == "Call Grace"
