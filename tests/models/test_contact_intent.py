"""Each event counts once, and the score is the sum of the signals, whatever happens at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from models import contact_intent, intent
from models.contact import Contact
from models.intent import Kind, Source
from models.intent_source import IntentSource
from schemas.rules import IntentPoints, IntentRules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
RULES = IntentRules()
WORKSPACE = ObjectId()


@pytest.fixture
def contact(clean_store: None) -> Contact:
    return Contact.upsert(WORKSPACE, "grace@navy.test", {})[0]


def source(kind: Kind = "page_view", at: datetime = NOON, event_id: ObjectId | None = None) -> Source:
    return Source(event_id or ObjectId(), kind, at)


def count(contact: Contact, *sources: Source, rules: IntentRules = RULES) -> list[tuple[str, str]]:
    """The levels that are to be announced, from and to."""
    found = contact_intent.count(contact.workspace_id, {contact.id: sources}, rules)
    return [(told["previous_level"], told["level"]) for each in found for told in each.crossings]


def stored(contact: Contact) -> dict[str, Any]:
    row: dict[str, Any] = Contact._get_collection().find_one({"_id": contact.id})
    assert row["intent_score"] == sum(signal["points"] for signal in row["intent"]["signals"].values())
    return row


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("page_view", 5),
        ("email_open", 3),
        ("link_click", 10),
        ("form_submission", 20),
        ("demo_request", 50),
    ],
)
def test_each_kind_has_its_points(contact: Contact, kind: Kind, points: int) -> None:
    count(contact, source(kind))
    assert stored(contact)["intent_score"] == points
    contact.reload()
    assert (contact.intent.signals[kind].points, contact.intent.signals[kind].since) == (points, NOON)
    assert contact.last_activity_at == NOON


def test_a_workspaces_own_points_count(contact: Contact) -> None:
    count(contact, source(), rules=IntentRules(points=IntentPoints(page_view=8)))
    assert stored(contact)["intent_score"] == 8


def test_what_has_no_points_is_no_signal(contact: Contact) -> None:
    count(contact, source(), rules=IntentRules(points=IntentPoints(page_view=0)))
    assert stored(contact)["intent"]["signals"] == {}


def test_events_of_a_kind_accumulate(contact: Contact) -> None:
    count(contact, source())
    count(contact, source(at=NOON + timedelta(hours=1)), source("link_click"))
    signals = stored(contact)["intent"]["signals"]
    assert {kind: signal["points"] for kind, signal in signals.items()} == {"page_view": 10, "link_click": 10}
    assert signals["page_view"]["since"] == NOON


def test_an_event_counts_once(contact: Contact) -> None:
    one = source("form_submission")
    for _ in range(3):
        count(contact, one, one)
    assert stored(contact)["intent_score"] == 20


def test_an_event_counts_once_however_many_came_since(contact: Contact) -> None:
    sources = [source() for _ in range(3 * intent.SOURCES)]
    for each in sources:
        count(contact, each)
    assert IntentSource.objects.count() >= 2 * intent.SOURCES - 1
    for each in [*sources, *reversed(sources)]:
        count(contact, each)
    count(contact, *sources)
    assert stored(contact)["intent_score"] == 5 * len(sources)


def test_events_in_any_order_of_their_ids_count_once(contact: Contact) -> None:
    sources = [source() for _ in range(2 * intent.SOURCES)]
    for each in [*reversed(sources), *sources]:
        count(contact, each)
    assert stored(contact)["intent_score"] == 5 * len(sources)


def test_a_crash_after_what_is_forgotten_was_noted_counts_nothing_twice(
    contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [source() for _ in range(intent.SOURCES)]
    count(contact, *sources)
    with monkeypatch.context() as patch:
        patch.setattr(contact_intent, "_update", _crash)
        with pytest.raises(ConnectionError):
            count(contact, source())
    assert IntentSource.objects.count() == intent.SOURCES
    count(contact, *sources)
    assert stored(contact)["intent_score"] == 5 * len(sources)


def test_two_at_once_lose_and_double_nothing(contact: Contact) -> None:
    sources = [source() for _ in range(40)]
    barrier = threading.Barrier(4)

    def work(mine: list[Source]) -> None:
        barrier.wait(10)
        for each in mine:
            count(contact, each)

    halves = [sources[:25], sources[15:], sources[::2], sources[::-1]]
    threads = [threading.Thread(target=work, args=[half]) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert stored(contact)["intent_score"] == 5 * 40


def test_an_event_that_is_older_than_anybody_remembers_is_not_counted(contact: Contact) -> None:
    old = ObjectId.from_datetime(datetime.now(UTC) - intent.COUNTS_FOR - timedelta(days=1))
    young = ObjectId.from_datetime(datetime.now(UTC) - intent.COUNTS_FOR + timedelta(days=1))
    count(contact, source(event_id=old), source(event_id=young))
    assert stored(contact)["intent_score"] == 5


def test_a_level_that_is_reached_is_to_be_announced_until_it_was(contact: Contact) -> None:
    assert count(contact, source("form_submission")) == []
    last = source("form_submission")
    assert count(contact, last) == [("low", "medium")]
    assert count(contact, last) == [("low", "medium")]  # it was not announced: somebody died
    contact_intent.announced(contact_intent.crossed(f"event:{last.event_id}"))
    assert count(contact, last) == []
    assert count(contact, source("demo_request")) == [("medium", "high")]
    assert count(contact, source("demo_request")) == [("medium", "high")]  # the former one


def test_what_has_come_since_is_announced_too(contact: Contact) -> None:
    told = contact_intent.count(WORKSPACE, {contact.id: [source("demo_request")]}, RULES)
    count(contact, source("demo_request"))
    contact_intent.announced(told)
    assert len(stored(contact)["intent"]["unannounced"]) == 2


@pytest.mark.parametrize(("score", "level"), [(39, "low"), (40, "medium"), (69, "medium"), (70, "high")])
def test_levels_begin_at_their_least_score(score: int, level: str) -> None:
    assert intent.level_of(score, RULES) == level


def test_another_workspaces_contact_is_left_alone(contact: Contact) -> None:
    assert contact_intent.count(ObjectId(), {contact.id: [source()]}, RULES) == []
    assert Contact.objects.get(id=contact.id).intent is None


def test_what_faded_long_before_the_next_event_leaves_nothing(contact: Contact) -> None:
    """One visit two months ago does not take away what today's visits are worth."""
    count(contact, source(at=NOON - timedelta(days=60)), *[source(at=NOON) for _ in range(12)])
    signal = stored(contact)["intent"]["signals"]["page_view"]
    assert (signal["points"], signal["since"]) == (60, NOON)


def test_an_event_that_is_learnt_of_late_adds_what_would_be_left_of_it(contact: Contact) -> None:
    count(contact, source("form_submission"))
    count(contact, source("form_submission", at=NOON - timedelta(days=3)))
    count(contact, source("form_submission", at=NOON - timedelta(days=30)))
    assert stored(contact)["intent_score"] == 20 + (20 - 2 * 2) + 0


def test_many_contacts_are_a_query_and_an_update(
    clean_store: None, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    contacts = [Contact.upsert(WORKSPACE, f"{number}@navy.test", {})[0] for number in range(20)]
    for _ in range(2):
        sources = {contact.id: [source(), source("link_click")] for contact in contacts}
        with count_store_commands() as commands:
            contact_intent.count(WORKSPACE, sources, RULES)
        assert commands == ["find", "update"]
    assert {contact.intent_score for contact in Contact.objects} == {30}


def _crash(*_: Any) -> None:
    raise ConnectionError("the worker died")
