"""A request's id: on its answer, and on everything that it brings about, however far."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient

from consumers import registry
from consumers.registry import Delivery
from models.contact import Contact
from models.event import EventRecord
from models.workspace import Workspace
from publishers import contacts
from schemas.contact import ContactCreated

TRACE = "trace-42"
Line = dict[str, Any]


@pytest.fixture
def a_reaction_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reaction to `contact.created` that tells that the contact was updated."""

    def follow_up(event: ContactCreated, _delivery: Delivery) -> None:
        contacts.updated(Contact.objects.get(id=event.contact_id), changed=["tags"])

    monkeypatch.setitem(registry._reactions.setdefault("contact.created", {}), "follow_up", follow_up)


def post(client: FlaskClient, **headers: str) -> Any:
    workspace = Workspace(name="Acme").save()
    body = {"workspaceId": str(workspace.id), "email": "grace@navy.test"}
    return client.post("/api/public/crm/contacts", json=body, headers=headers)


def test_one_id_leads_from_a_request_through_its_event_to_what_a_reaction_publishes_and_their_lines(
    client: FlaskClient, run_jobs: Callable[[], int], a_reaction_publishes: None
) -> None:
    assert post(client, **{"X-Request-ID": TRACE}).status_code == 200
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        run_jobs()

    first = EventRecord.objects.get(type="contact.created")
    second = EventRecord.objects.get(type="contact.updated")
    assert (first.correlation_id, first.causation_id) == (TRACE, None)
    assert (second.correlation_id, second.causation_id) == (TRACE, str(first.id))
    jobs = {line["job_id"] for line in lines if line["event"] == "✅ job done"}
    assert {first.job_id, second.job_id} < jobs, "and the jobs of their reactions"
    assert {line["correlation_id"] for line in lines if "job_id" in line} == {TRACE}


def test_what_fails_in_a_reaction_is_logged_with_its_cause(
    client: FlaskClient,
    run_jobs: Callable[[], int],
    a_reaction_publishes: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise LookupError("no such thing")

    monkeypatch.setitem(registry._reactions["contact.updated"], "fail", fail)
    post(client, **{"X-Request-ID": TRACE})
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        run_jobs()

    first = EventRecord.objects.get(type="contact.created")
    failed = [line for line in lines if line["event"] == "⚠️  reaction failed"]
    assert {(line["correlation_id"], line["causation_id"]) for line in failed} == {(TRACE, str(first.id))}
    assert {line["event_type"] for line in failed} == {"contact.updated"}


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "a\x7fb", "{}"])
def test_an_id_that_does_not_fit_a_line_is_replaced(client: FlaskClient, given: str) -> None:
    answer = post(client, **{"X-Request-ID": given})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert EventRecord.objects.get().correlation_id == answer.headers["X-Request-ID"]


def test_every_answer_has_its_own_id(client: FlaskClient) -> None:
    found = [client.get(path).headers["X-Request-ID"] for path in ("/healthz", "/healthz", "/nowhere")]

    assert len(set(found)) == 3
    assert "correlation_id" not in structlog.contextvars.get_contextvars()
