"""What follows when a visitor turns out to be a contact: what it did before counts, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from consumers import dispatch, visitor
from models import store
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.form import Form
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Workspace
from tests.web.public.conftest import IDENTIFY, Api


@pytest.fixture
def api(client: FlaskClient) -> Api:
    workspace = Workspace(name="Acme").save()
    return Api(client, workspace, Form(workspace_id=workspace.id, name="Talk to us").save())


def timeline(contact: Contact) -> list[str]:
    return sorted(entry.title for entry in Activity.objects(contact_id=contact.id, kind="page_viewed"))


def test_earlier_page_views_are_on_the_timeline_and_stamp_the_contact(
    api: Api, run_jobs: Callable[[], int]
) -> None:
    latest = store.now() - timedelta(minutes=5)
    api.track(*api.events(2, timestamp="2026-01-31T12:00:00Z"), api.event(timestamp=latest.isoformat()))
    run_jobs()
    assert Activity.objects.count() == 0

    api.identify()
    run_jobs()

    contact = Contact.objects.get()
    assert timeline(contact) == ["Viewed /0", "Viewed /1", "Viewed /pricing"]
    assert contact.last_activity_at == latest


def test_what_was_counted_is_not_counted_again(api: Api, run_jobs: Callable[[], int]) -> None:
    api.track(*api.events(2))
    api.identify()  # before the page views were handled: they find their contact themselves
    run_jobs()
    assert len(timeline(Contact.objects.get())) == 2

    api.identify()
    api.track(*api.events(2, sessionId="later"))
    api.identify()
    run_jobs()
    for record in EventRecord.objects(type="visitor.identified"):
        EventRecord.objects.update(set__reactions={}, set__status="queued")
        dispatch.handle(str(record.id), record.envelope())
    run_jobs()
    assert len(timeline(Contact.objects.get())) == 4
    assert EventRecord.objects(type="visitor.identified").count() == 1


def test_several_visitors_are_one_contact(api: Api, run_jobs: Callable[[], int]) -> None:
    for visitor_id in ("phone", "laptop"):
        api.track(api.event(visitorId=visitor_id, url=f"https://acme.test/{visitor_id}"))
        body = {"workspaceId": str(api.workspace.id), "visitorId": visitor_id, "email": "grace@navy.test"}
        api.client.post(IDENTIFY, json=body)
    run_jobs()
    assert timeline(Contact.objects.get()) == ["Viewed /laptop", "Viewed /phone"]
    assert {found.contact_id for found in Visitor.objects} == {Contact.objects.get().id}


def test_who_is_identified_without_a_past_leaves_no_event(api: Api) -> None:
    api.identify()
    assert [record.type for record in EventRecord.objects] == ["contact.created"]


def test_two_people_at_one_browser_at_once_share_no_page_view(api: Api, run_jobs: Callable[[], int]) -> None:
    api.track(*api.events(5))
    barrier = threading.Barrier(4)

    def identify(email: str) -> None:
        with api.client.application.test_client() as client:
            body = {"workspaceId": str(api.workspace.id), "visitorId": "visitor-1", "email": email}
            barrier.wait(10)
            assert client.post(IDENTIFY, json=body).status_code == 200

    threads = [threading.Thread(target=identify, args=[f"{name}@navy.test"]) for name in ("a", "b", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    run_jobs()

    assert VisitorEvent.objects(contact_id=None).count() == 0
    counts = [len(timeline(contact)) for contact in Contact.objects]
    assert (len(counts), sum(counts)) == (2, 5)


def test_a_long_past_is_counted_in_rounds(
    api: Api,
    run_jobs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    monkeypatch.setattr(visitor, "BATCH", 4)
    api.track(*api.events(10))
    run_jobs()
    api.identify()
    record = EventRecord.objects.get(type="visitor.identified")
    with count_store_commands() as commands:
        dispatch.handle(str(record.id), record.envelope())
    assert len(commands) <= 3 + 3 * 3 + 1  # the ledger's own; three rounds; the look for a fourth
    run_jobs()
    assert len(timeline(Contact.objects.get())) == 10
