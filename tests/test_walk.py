"""The shortest walk through the system: an event in, its effects out."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from models.contact import Contact
from models.event import EventRecord
from models.workspace import Member, Workspace
from publishers import events
from schemas.contact import ContactCreated
from tests.reactions import timeline


def test_a_created_contact_is_scored_owned_and_on_the_timeline(run_jobs: Callable[[], int]) -> None:
    workspace = Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()
    contact, is_new = Contact.upsert(
        workspace.id, "Grace@navy.test", {"first_name": "Grace", "last_name": "Hopper", "source": "form"}
    )
    assert is_new
    event = ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="form")
    event_id = events.publish(event)
    assert events.publish(event) == event_id

    run_jobs()

    contact.reload()
    assert contact.email == "grace@navy.test"
    assert (contact.lead_score, contact.lead_grade) == (45, "C")
    assert contact.assigned_to == workspace.members[0].user_id
    assert timeline(contact) == ["Contact created (form)", "Assigned to Ada"]
    assert EventRecord.objects.get(id=event_id).status == "done"


def test_each_job_leaves_a_line_at_its_start_and_one_at_its_end(run_jobs: Callable[[], int]) -> None:
    workspace = Workspace(name="Acme").save()
    contact, _ = Contact.upsert(workspace.id, "grace@navy.test", {})
    event = ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="form")
    event_id = events.publish(event, correlation_id="request-1")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        run_jobs()
    mine = [line for line in lines if line.get("job_id") == f"event-{event_id}"]
    assert [line["event"] for line in mine] == ["▶️  job started", "✅ job done"]
    for line in mine:
        assert (line["event_id"], line["correlation_id"]) == (event_id, "request-1")
        assert (line["workspace_id"], line["queue"]) == (str(workspace.id), "crm-events")
    assert mine[1]["ms"] > 0
