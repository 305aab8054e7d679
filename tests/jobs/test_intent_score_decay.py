"""Intent fades by the rules, to the last boundary, however often and whenever the job runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from jobs import intent_score_decay
from models import contact_enrichment, contact_intent, intent_decay
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.event import EventRecord
from models.intent import Kind, Source
from models.notification import Notification
from publishers import intent as announcing
from queues.connection import redis
from schemas.rules import IntentPoints, IntentRules

TICK = datetime(2026, 3, 10, 2, tzinfo=UTC)
DAY, HOUR, SECOND, MS = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1), timedelta(milliseconds=1)
WORKSPACE = ObjectId()
pytestmark = pytest.mark.usefixtures("stores")


def contact(points: int, at: datetime, kind: Kind = "page_view", workspace: ObjectId = WORKSPACE) -> Contact:
    """A new contact with one signal."""
    made = Contact.upsert(workspace, f"{ObjectId()}@navy.test", {})[0]
    add(made, points, at, kind)
    return made


def add(contact: Contact, points: int, at: datetime, kind: Kind = "page_view") -> None:
    rules = IntentRules(points=IntentPoints(**{kind: points}))
    found = contact_intent.count(contact.workspace_id, {contact.id: [Source(ObjectId(), kind, at)]}, rules)
    contact_intent.announced(found)


def decay(*ticks: datetime) -> list[dict[str, int]]:
    """The job and all that it enqueues, run here; the results of its ranges."""
    results = []
    for tick in ticks:
        intent_score_decay.run(tick.isoformat())
        results += [intent_score_decay.decay(**kwargs) for kwargs in planned()]
    return results


def planned() -> list[dict[str, Any]]:
    """The arguments of the jobs that wait, which are taken off the queue."""
    from queues.job import Job

    jobs = Job.fetch_many([key.decode() for key in redis().lrange("rq:queue:analytics", 0, -1)], redis())
    redis().delete("rq:queue:analytics")
    return [job.kwargs for job in jobs if job]


def points(contact: Contact) -> dict[str, int]:
    row = Contact._get_collection().find_one({"_id": contact.id})
    found = {kind: signal["points"] for kind, signal in row["intent"]["signals"].items()}
    assert row["intent_score"] == sum(found.values())
    assert ("due_at" in row["intent"]) == bool(found)
    return found


def documents() -> list[Any]:
    return list(Contact._get_collection().find().sort("_id"))


def told() -> list[tuple[str, str, int]]:
    """Crossings that were published, in their order."""
    found = EventRecord.objects(type="intent.threshold_crossed").order_by("position")
    return [(each.payload["previousLevel"], each.payload["level"], each.payload["score"]) for each in found]


# How old a signal of 20 points is when the day's decay begins, and how many points it has after it.
AGES = [
    ("of the future", -HOUR, 20),
    ("of this moment", timedelta(), 20),
    ("a second less than a day old", DAY - SECOND, 20),
    ("exactly a day old: not older than one", DAY, 20),
    ("a millisecond more than a day old", DAY + MS, 18),
    ("a second more than a day old", DAY + SECOND, 18),
    ("a second less than two days old", 2 * DAY - SECOND, 18),
    ("exactly two days old: two whole days", 2 * DAY, 16),
    ("a second more than two days old", 2 * DAY + SECOND, 16),
    ("just not below what is kept", 5 * DAY + SECOND, 10),
    ("below what is kept", 6 * DAY, None),
    ("of a year ago: never below 0, removed", 365 * DAY, None),
]


@pytest.mark.parametrize(("age", "left"), [case[1:] for case in AGES], ids=[case[0] for case in AGES])
def test_two_points_for_each_whole_day_once_older_than_a_day(age: timedelta, left: int | None) -> None:
    made = contact(20, TICK - age)
    decay(TICK)
    assert points(made) == ({} if left is None else {"page_view": left})


# Calendars do not matter: a day has 24 hours in UTC.
DAYS = [
    ("the leap day", datetime(2028, 2, 28, 1, tzinfo=UTC), datetime(2028, 3, 1, 2, tzinfo=UTC), 16),
    ("no leap day", datetime(2026, 2, 28, 1, tzinfo=UTC), datetime(2026, 3, 1, 2, tzinfo=UTC), 18),
    ("New Year", datetime(2025, 12, 31, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC), 18),
    (
        "summer time begins",
        datetime(2026, 3, 28, 2, 30, tzinfo=UTC),
        datetime(2026, 3, 30, 2, tzinfo=UTC),
        18,
    ),
    (
        "summer time ends",
        datetime(2026, 10, 24, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 2, tzinfo=UTC),
        16,
    ),
]


@pytest.mark.parametrize(
    ("since", "tick", "left"), [case[1:] for case in DAYS], ids=[case[0] for case in DAYS]
)
def test_a_day_is_a_day_whatever_the_calendar_says(since: datetime, tick: datetime, left: int) -> None:
    made = contact(20, since)
    decay(tick)
    assert points(made) == {"page_view": left}


# Scores before and after a day's decay of one signal of that many points, and what is told of it.
CROSSINGS = [
    (72, []),  # 70 is still high
    (71, [("high", "medium", 69)]),
    (70, [("high", "medium", 68)]),
    (69, []),
    (42, []),  # 40 is still medium
    (41, [("medium", "low", 39)]),
    (40, [("medium", "low", 38)]),
    (39, []),
    (11, []),  # removed, and low as before
]


@pytest.mark.parametrize(("before", "events"), CROSSINGS)
def test_a_level_that_is_left_is_told_of_once(before: int, events: list[Any]) -> None:
    made = contact(before, TICK - DAY - HOUR)
    decay(TICK, TICK, TICK + HOUR)
    assert told() == events
    for record in EventRecord.objects:
        assert (record.payload["contactId"], record.payload["occasion"]) == (str(made.id), "decay:2026-03-10")


def test_from_high_to_low_is_one_event() -> None:
    contact(80, TICK - 30 * DAY)
    decay(TICK)
    assert told() == [("high", "low", 20)]


def test_each_descent_is_told_of_and_no_day_in_between() -> None:
    contact(75, TICK)
    decay(*(TICK + number * DAY for number in range(1, 40)))
    assert told() == [("high", "medium", 69), ("medium", "low", 39)]


def test_a_fresh_page_view_outlives_its_first_decay_among_others() -> None:
    lone, among = contact(5, TICK - HOUR), contact(5, TICK - 5 * DAY)
    for _ in range(5):
        add(among, 5, TICK - 5 * DAY)
    decay(TICK)
    assert points(lone) == {"page_view": 5}
    add(among, 5, TICK + HOUR)
    decay(TICK + DAY)
    assert points(among) == {"page_view": 30 - 5 * 2 + 5 - 2}
    decay(TICK + 2 * DAY)
    assert points(lone) == {}


def test_each_signal_fades_by_itself() -> None:
    made = contact(20, TICK - 3 * DAY)
    add(made, 50, TICK - HOUR, "demo_request")
    add(made, 11, TICK - 2 * DAY, "link_click")
    decay(TICK)
    assert points(made) == {"page_view": 14, "demo_request": 50}


@pytest.mark.parametrize("hours", [0, 1, 12, 21, 21.99])
def test_a_second_run_on_a_day_changes_nothing(hours: float) -> None:
    """Not even for a signal that became a day older between the two."""
    for age in range(0, 96, 5):
        contact(40, TICK - age * HOUR)
    decay(TICK)
    before = documents()
    decay(TICK + hours * HOUR)
    assert documents() == before
    assert len(told()) == EventRecord.objects.count()


def test_missed_days_catch_up() -> None:
    """Decay on each day and one after a week leave the same."""
    ages = [age * HOUR for age in range(0, 96, 7)]
    daily = [contact(45, TICK - age) for age in ages]
    decay(*(TICK + number * DAY for number in range(1, 8)))
    once = [contact(45, TICK - age) for age in ages]
    decay(TICK + 7 * DAY + HOUR)  # that day's moment is fixed: the same for both
    assert [points(made) for made in daily] == [points(made) for made in once]


def test_a_clock_that_goes_back_changes_nothing() -> None:
    made = contact(30, TICK - 3 * DAY)
    decay(TICK)
    before = documents()
    decay(TICK - DAY, TICK - 3 * DAY)
    assert documents() == before
    assert points(made) == {"page_view": 24}


def test_a_contact_without_intent_is_left_alone() -> None:
    Contact.upsert(WORKSPACE, "grace@navy.test", {})
    before = documents()
    assert decay(TICK) == []
    assert documents() == before


def test_fields_that_are_missing_stop_nobody() -> None:
    """What another program stored: signals without a score, a version or a memory."""
    made, other = contact(30, TICK - 3 * DAY), contact(30, TICK - 3 * DAY)
    unset = {"intent_score": "", "intent.version": "", "intent.sources": ""}
    Contact._get_collection().update_one({"_id": made.id}, {"$unset": unset})
    decay(TICK)
    assert points(made) == points(other) == {"page_view": 24}


def test_what_is_counted_while_it_decays_is_not_lost() -> None:
    made = contact(300, TICK - 30 * DAY)
    barrier = threading.Barrier(2)

    def count() -> None:
        barrier.wait(10)
        for _ in range(20):
            add(made, 5, TICK)

    def fade() -> None:
        barrier.wait(10)
        for number in range(5):
            decay(TICK + number * DAY)

    threads = [threading.Thread(target=work) for work in (count, fade)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert points(made) == {"page_view": 300 - 34 * 2 + 20 * 5}


def test_two_workers_at_once_decay_once() -> None:
    for _ in range(50):
        contact(71, TICK - 2 * DAY + HOUR)
    intent_score_decay.run(TICK.isoformat())
    (job,) = planned()
    threads = [threading.Thread(target=intent_score_decay.decay, kwargs=job) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {row["intent_score"] for row in documents()} == {69}
    assert told() == 50 * [("high", "medium", 69)]
    assert contact_intent.left_over("decay-", "decay-9", 10) == []


STEPS = [
    (intent_decay, "decay"),
    (contact_intent, "crossed"),
    (announcing, "batch"),
    (contact_intent, "announced"),
    (BusinessProfile, "if_valid"),
]


@pytest.mark.parametrize(("where", "step"), STEPS, ids=[step for _, step in STEPS])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_anywhere_leaves_what_a_second_run_completes(
    monkeypatch: pytest.MonkeyPatch, where: Any, step: str, when: str
) -> None:
    contact(71, TICK - 2 * DAY + HOUR)
    intent_score_decay.run(TICK.isoformat())
    (job,) = planned()
    original = getattr(where, step)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            original(*args, **kwargs)
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(where, step, dying)
        with pytest.raises(ConnectionError):
            intent_score_decay.decay(**job)
    intent_score_decay.decay(**job)
    assert {row["intent_score"] for row in documents()} == {69}
    assert told() == [("high", "medium", 69)]
    assert contact_intent.left_over("decay-", "decay-9", 10) == []


def test_a_planner_that_dies_half_way_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intent_score_decay, "RANGE", 2)
    monkeypatch.setattr(intent_score_decay, "AT_ONCE", 1)
    for number in range(7):
        contact(30, TICK - DAY - HOUR + number * SECOND)
    original, calls = intent_score_decay.enqueue_many, []

    def dying(jobs: Any) -> int:
        calls.append(original(jobs))
        if len(calls) == 2:
            raise ConnectionError
        return calls[-1]

    with monkeypatch.context() as patch:
        patch.setattr(intent_score_decay, "enqueue_many", dying)
        with pytest.raises(ConnectionError):
            intent_score_decay.run(TICK.isoformat())
    intent_score_decay.run(TICK.isoformat())
    jobs = planned()
    assert len(jobs) == 4
    for job in jobs:
        intent_score_decay.decay(**job)
    assert {row["intent_score"] for row in documents()} == {28}


def test_what_a_dead_job_did_not_publish_is_published_the_next_day(monkeypatch: pytest.MonkeyPatch) -> None:
    contact(71, TICK - 2 * DAY + HOUR)
    intent_score_decay.run(TICK.isoformat())
    (job,) = planned()
    with monkeypatch.context() as patch:
        patch.setattr(contact_intent, "crossed", lambda _: [])
        intent_score_decay.decay(**job)
    assert told() == []
    intent_score_decay.run((TICK + DAY).isoformat())
    assert told() == [("high", "medium", 69)]


def test_each_workspace_has_its_rules_and_an_invalid_set_holds_until_it_is_right() -> None:
    mild, broken = ObjectId(), ObjectId()
    BusinessProfile(id=mild, rules={"intent": {"decayPerDay": 1, "removeBelow": 3}}).save()
    BusinessProfile._get_collection().insert_one({"_id": broken, "rules": {"intent": {"decayPerDay": "all"}}})
    at = TICK - 7 * DAY
    kept, usual, saved = contact(10, at, workspace=mild), contact(30, at), contact(30, at, workspace=broken)
    decay(TICK)
    assert (points(kept), points(usual), points(saved)) == (
        {"page_view": 3},
        {"page_view": 16},
        {"page_view": 30},
    )
    assert Notification.objects.get().workspace_id == broken
    BusinessProfile.put(broken, {"intent": {"decayPerDay": 1}})
    decay(TICK + DAY)
    assert points(saved) == {"page_view": 22}


@pytest.mark.parametrize("contacts", [4, 40])
def test_a_range_costs_the_same_commands_whatever_its_size(
    contacts: int, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    for number in range(contacts):
        contact(71 if number % 2 else 50, TICK - 2 * DAY + HOUR)
    with count_store_commands() as commands:
        intent_score_decay.run(TICK.isoformat())
    assert sorted(commands) == ["find", "find", "find", "insert"]
    (job,) = planned()
    with count_store_commands() as commands:
        intent_score_decay.decay(**job)
    # Rules, decay, crossings; then the events, and that they are published.
    assert commands == ["find", "update", "find", "insert", "update"]
    assert len(told()) == contacts // 2


def test_workspaces_are_found_with_one_query(
    monkeypatch: pytest.MonkeyPatch, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    monkeypatch.setattr(intent_score_decay, "RANGE", 3)
    for number in range(12):
        workspace = ObjectId()
        for extra in range(1 + 4 * (number == 5)):
            contact(30, TICK - DAY - HOUR + extra * SECOND, workspace=workspace)
    with count_store_commands() as commands:
        intent_score_decay.run(TICK.isoformat())
    assert sorted(commands) == ["find", "find", "find", "insert"]
    jobs = planned()
    assert len(jobs) == 13
    for job in jobs:
        intent_score_decay.decay(**job)
    assert {row["intent_score"] for row in documents()} == {28}


def test_contacts_of_one_moment_are_in_one_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intent_score_decay, "RANGE", 2)
    for number in range(5):
        contact(30, TICK - 2 * DAY + (number == 4) * SECOND)
    assert [result["decayed"] for result in decay(TICK)] == [4, 1]


def test_the_planner_asks_for_each_field_of_its_index() -> None:
    """For the first one, too, or a real MongoDB reads every contact to find who is due."""
    asked = list(intent_decay.due(TICK))
    assert asked in Contact._meta["indexes"]
    asked = list(contact_enrichment.waiting(TICK))
    assert [*asked, "_id"] in Contact._meta["indexes"]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (intent_decay.due(TICK), intent_decay.INDEX),
        (contact_enrichment.waiting(TICK), contact_enrichment.INDEX),
    ],
    ids=["decay", "enrichment"],
)
def test_the_planner_reads_its_index(asked: dict[str, Any], index: list[tuple[str, int]]) -> None:
    contact(30, TICK - 2 * DAY)
    plan = str(Contact._get_collection().find(asked, hint=index).explain()["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in plan
    assert "COLLSCAN" not in plan


def test_a_range_is_read_through_its_index() -> None:
    contact(30, TICK - 2 * DAY)
    part = next(intent_decay.ranges(TICK, 10))
    query = {"workspace_id": part.workspace_id, "intent.due_at": {"$gte": part.first, "$lte": part.last}}
    for found in (query, {"intent.unannounced.batch": "decay-2026-03-10"}):
        plan = str(Contact._get_collection().find(found).explain()["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in plan
        assert "COLLSCAN" not in plan
