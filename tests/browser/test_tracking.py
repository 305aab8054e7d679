"""The public API as a page of another origin uses it, in a browser that enforces CORS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from models import store
from models.contact import Contact
from models.event import EventRecord
from models.workspace import Workspace
from tests.browser.conftest import SLOWEST
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def shop(browser: Browser, site: str) -> Iterator[Page]:
    """A window on a page of `http://localhost:…`: to the browser another origin than the API's 127.0.0.1."""
    context = browser.new_context()
    context.set_default_timeout(SLOWEST)
    page = context.new_page()
    page.goto(site.replace("127.0.0.1", "localhost") + "/healthz")
    yield page
    context.close()


@pytest.fixture
def workspace(stores: None) -> Workspace:
    return Workspace(name="Acme", allowed_origins=["http://localhost:*"]).save()


def batch(workspace: Workspace) -> dict[str, Any]:
    event = {
        "workspaceId": str(workspace.id),
        "visitorId": "visitor-1",
        "sessionId": "session-1",
        "eventType": "page_view",
        "eventName": "Page viewed",
        "url": "http://localhost/pricing",
        "timestamp": store.now().isoformat(),
    }
    return {"events": [event]}


FETCH = """async ([url, method, body]) => {
  const headers = {'Content-Type': 'application/json'};
  try {
    return await (await fetch(url, {method, headers, body: JSON.stringify(body)})).json();
  } catch (error) { return String(error); }
}"""
BEACON = "([url, body, type]) => navigator.sendBeacon(url, new Blob([JSON.stringify(body)], {type}))"


def test_a_page_of_an_allowed_origin_tracks_identifies_and_changes(
    shop: Page, site: str, workspace: Workspace
) -> None:
    tracked = shop.evaluate(FETCH, [f"{site}/api/public/track/event", "POST", batch(workspace)])
    assert tracked == {"success": True, "accepted": 1, "refused": []}
    who = {"workspaceId": str(workspace.id), "visitorId": "visitor-1", "email": "grace@navy.test"}
    contact_id = shop.evaluate(FETCH, [f"{site}/api/public/track/identify", "POST", who])["contactId"]
    change = {"workspaceId": str(workspace.id), "firstName": "Grace"}
    path = f"{site}/api/public/crm/contacts/{contact_id}"
    assert shop.evaluate(FETCH, [path, "PUT", change])["success"] is True
    assert Contact.objects.get().first_name == "Grace"


def test_a_page_of_another_origin_is_refused(shop: Page, site: str, workspace: Workspace) -> None:
    Workspace.objects.update(set__allowed_origins=["https://www.acme.test"])
    answer = shop.evaluate(FETCH, [f"{site}/api/public/track/event", "POST", batch(workspace)])
    assert "Failed to fetch" in answer
    assert EventRecord.objects.count() == 0


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_beacon_arrives(shop: Page, site: str, workspace: Workspace, content_type: str) -> None:
    url = f"{site}/api/public/track/event"
    assert shop.evaluate(BEACON, [url, batch(workspace), content_type]) is True
    wait_until(lambda: EventRecord.objects(type="visits.tracked").count() == 1)
