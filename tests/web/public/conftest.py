"""A workspace, its form, and a client that sends what the workspace's pages send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from mongoengine import QuerySet
from redis.connection import AbstractConnection
from werkzeug.test import TestResponse

from consumers import dispatch
from models import store
from models.event import EventRecord
from models.form import Form, FormField
from models.workspace import Member, Workspace

PAGE = "https://www.acme.test"
TRACK = "/api/public/track/event"
IDENTIFY = "/api/public/track/identify"
CONSENT = "/api/public/track/consent"
CONTACTS = "/api/public/crm/contacts"
ACTIVITIES = "/api/public/crm/activities"
OPPORTUNITIES = "/api/public/crm/opportunities"


class Api:
    """The public API of one workspace."""

    def __init__(self, client: FlaskClient, workspace: Workspace, form: Form):
        self.client, self.workspace, self.form = client, workspace, form

    @property
    def submit_path(self) -> str:
        return f"/api/public/crm/forms/{self.form.id}/submit"

    def event(self, **fields: Any) -> dict[str, Any]:
        """A page view as the tracking client sends it."""
        return {
            "workspaceId": str(self.workspace.id),
            "visitorId": "visitor-1",
            "sessionId": "session-1",
            "eventType": "page_view",
            "eventName": "Page viewed",
            "url": "https://www.acme.test/pricing?plan=team",
            "referrer": "",
            "properties": {"title": "Pricing"},
            "device": {"userAgent": "Firefox", "screen": "1920x1080", "language": "en"},
            "utm": {"utmSource": "newsletter"},
            "timestamp": store.now().isoformat(),
            "sdkVersion": "1.2.0",
        } | fields

    def events(self, number: int, **fields: Any) -> list[dict[str, Any]]:
        return [self.event(url=f"https://www.acme.test/{place}", **fields) for place in range(number)]

    def track(self, *events: dict[str, Any], settle: bool = True, **options: Any) -> TestResponse:
        """Send a batch; with `settle` it is stored when this returns, as the next worker would do it."""
        answer = self.client.post(TRACK, json={"events": list(events)}, **options)
        if settle:
            settle_visits()
        return answer

    def identify(self, email: str = "grace@navy.test", **properties: Any) -> TestResponse:
        body = {"workspaceId": str(self.workspace.id), "visitorId": "visitor-1", "email": email}
        return self.client.post(IDENTIFY, json={**body, "properties": properties})

    def contact(self, email: str = "grace@navy.test", **fields: Any) -> TestResponse:
        return self.client.post(
            CONTACTS, json={"workspaceId": str(self.workspace.id), "email": email, **fields}
        )

    def change(self, contact_id: str, **fields: Any) -> TestResponse:
        body = {"workspaceId": str(self.workspace.id), **fields}
        return self.client.put(f"{CONTACTS}/{contact_id}", json=body)

    def consent(self, agrees: Any, visitor_id: str = "visitor-1") -> TestResponse:
        body = {"workspaceId": str(self.workspace.id), "visitorId": visitor_id}
        return self.client.post(CONSENT, json={**body, "consent": {"analytics": agrees}})

    def about(self, path: str, contact_id: str, key: str | None = None, **fields: Any) -> TestResponse:
        """Send something about a contact: an activity or an opportunity."""
        body = {"workspaceId": str(self.workspace.id), "contactId": contact_id, **fields}
        return self.client.post(path, json=body, headers={"Idempotency-Key": key} if key else None)

    def submit(
        self, fields: dict[str, Any], headers: dict[str, str] | None = None, **more: Any
    ) -> TestResponse:
        return self.client.post(self.submit_path, json={"fields": fields, **more}, headers=headers)


def settle_visits() -> None:
    """Run the jobs of the batches that were accepted."""
    for record in EventRecord.objects(type="visits.tracked", status__ne="done"):
        dispatch.handle(str(record.id), record.envelope())


def published() -> QuerySet:
    """The ledger without the batches themselves."""
    return EventRecord.objects(type__ne="visits.tracked")


@contextmanager
def count_round_trips() -> Iterator[list[str]]:
    """Collects what this process sends to Redis: an entry for each time that it waits for an answer."""
    trips: list[str] = []
    send = AbstractConnection.send_packed_command

    def counting(connection: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
        trips.append(str(command)[:80])
        return send(connection, command, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AbstractConnection, "send_packed_command", counting)
        yield trips


@pytest.fixture
def workspace(clean_store: None) -> Workspace:
    return Workspace(
        name="Acme",
        allowed_origins=[PAGE, "http://localhost:*", "https://*.acme.example"],
        members=[Member(name="Ada", email="ada@acme.test")],
    ).save()


@pytest.fixture
def form(workspace: Workspace) -> Form:
    fields = [FormField(name="E-Mail", is_required=True), FormField(name="message")]
    return Form(workspace_id=workspace.id, name="Talk to us", fields=fields).save()


@pytest.fixture
def api(client: FlaskClient, workspace: Workspace, form: Form) -> Iterator[Api]:
    return Api(client, workspace, form)
