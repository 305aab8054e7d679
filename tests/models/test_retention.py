"""What only grows is kept for so many days, and then the store deletes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

import config
from models import store
from models.notification import Notification
from models.visitor_event import VisitorEvent
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_store")
WORKSPACE = ObjectId()
EXPIRING = [VisitorEvent, Notification]


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it to set VISITS_KEEP_DAYS and NOTIFICATIONS_KEEP_DAYS."""

    def set_days(days: int) -> None:
        changed = {"visits_keep_days": days, "notifications_keep_days": days}
        settings = config.settings().model_copy(update=changed)
        monkeypatch.setattr(config, "settings", lambda: settings)

    return set_days


def one_of_each(name: str) -> None:
    moment = store.now()
    visit = {"session_id": "s", "event_type": "page_view", "event_name": name, "url": "https://acme.test/"}
    VisitorEvent.store([VisitorEvent(workspace_id=WORKSPACE, visitor_id="v", happened_at=moment, **visit)])
    assert Notification.notify(workspace_id=WORKSPACE, user_id=None, kind="test", message=name, key=name)


def expiries() -> list[Any]:
    return [kind.objects.get().expires_at for kind in EXPIRING]


def test_by_default_visits_are_kept_for_400_days_and_notices_for_180() -> None:
    one_of_each("now")
    kept = [expiry - store.now() for expiry in expiries()]
    for days, left in zip((400, 180), kept, strict=True):
        assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)


def test_the_days_are_counted_from_when_a_visit_came() -> None:
    came = store.now() - timedelta(days=10)
    visit = {"session_id": "s", "event_type": "page_view", "event_name": "n", "url": "https://acme.test/"}
    ids = {"workspace_id": WORKSPACE, "visitor_id": "v"}
    VisitorEvent.store([VisitorEvent(**ids, **visit, happened_at=came - timedelta(1), received_at=came)])
    assert VisitorEvent.objects.get().expires_at == came + timedelta(days=400)


def test_with_0_they_are_kept_for_ever(keep: Any) -> None:
    keep(0)
    one_of_each("for ever")
    assert expiries() == [None, None]
    assert not [kind for kind in EXPIRING if "expires_at" in kind._get_collection().find_one()]


def test_a_visit_that_is_sent_again_is_kept_no_longer(keep: Any) -> None:
    keep(400)
    moment = store.now()
    visit = {"session_id": "s", "event_type": "page_view", "event_name": "n", "url": "https://acme.test/"}
    ids = {"workspace_id": WORKSPACE, "visitor_id": "v", "happened_at": moment}
    for days in (10, 0):
        VisitorEvent.store([VisitorEvent(**ids, **visit, received_at=moment - timedelta(days))])
    assert VisitorEvent.objects.get().expires_at == moment + timedelta(days=390)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_store_deletes_what_has_expired_and_nothing_else() -> None:
    for name in ("old", "new"):
        one_of_each(name)
    past = store.now() - timedelta(seconds=1)
    VisitorEvent.objects(event_name="old").update(set__expires_at=past)
    Notification.objects(message="old").update(set__expires_at=past)
    VisitorEvent.objects(event_name="new").update(unset__expires_at=True)

    wait_until(lambda: not VisitorEvent.objects(event_name="old"), timeout=200)
    wait_until(lambda: not Notification.objects(message="old"), timeout=200)
    assert [kind.objects.count() for kind in EXPIRING] == [1, 1]
