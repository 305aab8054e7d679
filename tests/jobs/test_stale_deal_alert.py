"""A quiet deal is told of by the rules, to the last boundary, however often and whenever the job runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from jobs import stale_deal_alert
from models import deal_silence
from models.business_profile import BusinessProfile
from models.deal import Deal
from models.event import EventRecord
from models.notification import Notification
from models.workspace import Workspace
from queues.connection import redis
from tests import killing, reactions

TICK = datetime(2026, 3, 10, 9, tzinfo=UTC)
DAY, HOUR, SECOND, MS = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1), timedelta(milliseconds=1)
WORKSPACE, OWNER = ObjectId(), ObjectId()
RunJobs = Callable[[], int]
CountCommands = Callable[[], AbstractContextManager[list[str]]]
pytestmark = pytest.mark.usefixtures("stores")


def deal(last: datetime | None, workspace: ObjectId = WORKSPACE, **fields: Any) -> ObjectId:
    """A deal, stored as another program may: without what it does not know."""
    row = {"_id": ObjectId(), "workspace_id": workspace, "status": "open", "title": "Compilers", **fields}
    if last:
        row["last_activity_at"] = last
    Deal._get_collection().insert_one(row)
    return ObjectId(row["_id"])


def alert(*ticks: datetime) -> None:
    """The job and all that it enqueues, run here, jobs of former ticks once more."""
    for tick in ticks:
        stale_deal_alert.run(tick.isoformat())
        for kwargs in planned():
            stale_deal_alert.alert(**kwargs)


def planned() -> list[dict[str, Any]]:
    """The arguments of the jobs that wait, those for a later moment included."""
    from queues.job import Job

    ids = redis().lrange("rq:queue:analytics", 0, -1) + redis().zrange("rq:scheduled:analytics", 0, -1)
    return [job.kwargs for job in Job.fetch_many([key.decode() for key in ids], redis()) if job]


def stored(deal_id: ObjectId) -> dict[str, Any]:
    row: dict[str, Any] = Deal._get_collection().find_one({"_id": deal_id})
    return row


def documents() -> list[Any]:
    return list(Deal._get_collection().find().sort("_id"))


def told() -> list[tuple[str, datetime]]:
    """Alerts that were published, in their order."""
    found = EventRecord.objects(type="deal.stale").order_by("position")
    return [(each.payload["level"], datetime.fromisoformat(each.payload["quietSince"])) for each in found]


def levels() -> list[str]:
    return [level for level, _ in told()]


# For how long nothing has happened at the tick, and what is told.
AGES = [
    ("of the future", -HOUR, []),
    ("of this moment", timedelta(), []),
    ("a second less than seven days", 7 * DAY - SECOND, []),
    ("a millisecond less than seven days", 7 * DAY - MS, []),
    ("exactly seven days", 7 * DAY, ["stale"]),
    ("a second more than seven days", 7 * DAY + SECOND, ["stale"]),
    ("a second less than thirty days", 30 * DAY - SECOND, ["stale"]),
    ("exactly thirty days: at risk at once", 30 * DAY, ["at_risk"]),
    ("a second more than thirty days", 30 * DAY + SECOND, ["at_risk"]),
    ("years", 3_000 * DAY, ["at_risk"]),
]


@pytest.mark.parametrize(("age", "level"), [case[1:] for case in AGES], ids=[case[0] for case in AGES])
def test_an_open_deal_is_told_of_after_seven_days_and_after_thirty(age: timedelta, level: list[str]) -> None:
    made = deal(TICK - age)
    alert(TICK)
    assert told() == [(each, TICK - age) for each in level]
    assert stored(made).get("tags", []) == (["at-risk"] if level == ["at_risk"] else [])


@pytest.mark.parametrize(("age", "level"), [case[1:] for case in AGES], ids=[case[0] for case in AGES])
def test_one_that_was_looked_at_before_is_told_of_at_the_same_moment(
    age: timedelta, level: list[str]
) -> None:
    made = deal(TICK - age)
    alert(TICK - max(age, DAY))
    alert(TICK)
    assert levels() == level
    assert stored(made)["silence"]["due_at"] > TICK


# When something happened, counted from when the deal was opened, and what its silence counts from.
LATE = [
    ("long before", -40 * DAY, timedelta()),
    ("a millisecond before", -MS, timedelta()),
    ("at that moment", timedelta(), timedelta()),
    ("a millisecond later", MS, MS),
]


@pytest.mark.parametrize(("at", "since"), [case[1:] for case in LATE], ids=[case[0] for case in LATE])
@pytest.mark.parametrize("looks", [[], [TICK - 10 * DAY]], ids=["first look", "looked at before"])
def test_a_deal_is_not_quiet_for_longer_than_it_is_open(
    at: timedelta, since: timedelta, looks: list[datetime]
) -> None:
    opened = TICK - 10 * DAY
    made = deal(None, created_at=opened)
    alert(*looks)
    reactions.touch(made, opened + at)
    assert stored(made)["last_activity_at"] == opened + at
    alert(TICK)
    assert told() == [("stale", opened + since)]


def test_what_happened_before_it_was_opened_ends_no_silence() -> None:
    made = deal(None, created_at=TICK - 30 * DAY)
    alert(TICK)
    reactions.touch(made, TICK - 31 * DAY)
    alert(TICK + DAY)
    assert levels() == ["at_risk"]
    assert stored(made)["tags"] == ["at-risk"]
    reactions.touch(made, TICK)
    assert stored(made)["tags"] == []


# Calendars do not matter: a day has 24 hours.
DAYS = [
    ("the leap day", datetime(2028, 2, 23, 9, tzinfo=UTC), datetime(2028, 3, 1, 9, tzinfo=UTC)),
    ("no leap day", datetime(2026, 2, 22, 9, tzinfo=UTC), datetime(2026, 3, 1, 9, tzinfo=UTC)),
    ("New Year", datetime(2025, 12, 27, 9, tzinfo=UTC), datetime(2026, 1, 3, 9, tzinfo=UTC)),
    ("summer time begins", datetime(2026, 3, 25, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)),
    ("summer time ends", datetime(2026, 10, 21, 9, tzinfo=UTC), datetime(2026, 10, 28, 9, tzinfo=UTC)),
]


@pytest.mark.parametrize(("since", "tick"), [case[1:] for case in DAYS], ids=[case[0] for case in DAYS])
def test_seven_days_are_seven_days_whatever_the_calendar_says(since: datetime, tick: datetime) -> None:
    deal(since + SECOND)
    alert(tick)
    assert told() == []
    deal(since)
    alert(tick)
    assert told() == [("stale", since)]


# Where it is 9 at which moment after a tick at 9 UTC.
ZONES = [
    ("Europe/Berlin", datetime(2026, 3, 10, 9, tzinfo=UTC), datetime(2026, 3, 11, 8, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 3, 28, 9, tzinfo=UTC), datetime(2026, 3, 29, 7, tzinfo=UTC)),  # summer
    ("Europe/Berlin", datetime(2026, 10, 24, 9, tzinfo=UTC), datetime(2026, 10, 25, 8, tzinfo=UTC)),  # winter
    ("Europe/London", datetime(2026, 3, 10, 9, tzinfo=UTC), datetime(2026, 3, 10, 9, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, 9, tzinfo=UTC), datetime(2026, 3, 7, 14, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 3, 8, 13, tzinfo=UTC)),  # summer
    ("Asia/Kathmandu", datetime(2026, 3, 10, 9, tzinfo=UTC), datetime(2026, 3, 11, 3, 15, tzinfo=UTC)),
    ("Pacific/Kiritimati", datetime(2026, 3, 10, 9, tzinfo=UTC), datetime(2026, 3, 10, 19, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "tick", "nine"), ZONES)
def test_a_workspace_with_a_time_zone_is_told_at_nine_there(
    zone: str, tick: datetime, nine: datetime
) -> None:
    workspace = Workspace(name="Acme", time_zone=zone).save()
    deal(nine - 7 * DAY, workspace.id)
    deal(nine - 7 * DAY + SECOND, workspace.id)
    stale_deal_alert.run(tick.isoformat())
    jobs = redis().zrange("rq:scheduled:analytics", 0, -1, withscores=True)
    assert {score for _, score in jobs} <= {nine.timestamp()}
    (job,) = planned()
    assert datetime.fromisoformat(job["as_of"]) == nine
    stale_deal_alert.alert(**job)
    assert told() == [("stale", nine - 7 * DAY)]


def test_each_level_is_told_once_however_many_days_pass() -> None:
    made = deal(TICK, assigned_to=OWNER, contact_ids=[ObjectId()])
    alert(*(TICK + number * DAY for number in range(45)))
    assert told() == [("stale", TICK), ("at_risk", TICK)]
    assert EventRecord.objects.first().payload["assignedTo"] == str(OWNER)
    assert stored(made)["silence"]["due_at"].year == 9999


def test_an_activity_begins_a_new_silence_which_is_told_of_anew() -> None:
    made = deal(TICK)
    alert(TICK + 7 * DAY)
    reactions.touch(made, TICK + 9 * DAY)
    alert(TICK + 8 * DAY, TICK + 15 * DAY, TICK + 16 * DAY, TICK + 39 * DAY)
    again = TICK + 9 * DAY
    assert told() == [("stale", TICK), ("stale", again), ("at_risk", again)]


@pytest.mark.parametrize("status", ["won", "lost"])
def test_a_closed_deal_is_left_alone(status: str) -> None:
    deal(TICK - 90 * DAY, status=status)
    before = documents()
    alert(TICK)
    assert (told(), documents()) == ([], before)


def test_a_deal_without_activity_counts_from_its_opening() -> None:
    deal(None, created_at=TICK - 7 * DAY)
    deal(None, created_at=TICK - 7 * DAY + SECOND)
    deal(None, _id=ObjectId.from_datetime(TICK - 8 * DAY))  # not even that is known, but its id is of then
    alert(TICK)
    assert sorted(since for _, since in told()) == [TICK - 8 * DAY, TICK - 7 * DAY]


def test_a_tick_that_was_missed_is_made_up_for() -> None:
    deal(TICK - 7 * DAY)
    alert(TICK + 5 * DAY)
    assert levels() == ["stale"]


def test_a_second_run_changes_nothing() -> None:
    for days in range(0, 60, 3):
        deal(TICK - days * DAY)
    alert(TICK)
    before, events = documents(), told()
    redis().flushall()  # whatever Redis remembers
    alert(TICK, TICK)
    assert (documents(), told()) == (before, events)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    deal(TICK - 7 * DAY)
    deal(TICK - 30 * DAY)
    alert(TICK)
    before = documents()
    alert(TICK - DAY, TICK - 20 * DAY)
    assert documents() == before
    alert(TICK + 23 * DAY)
    assert levels().count("at_risk") == 2


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_what_happens_between_planning_and_looking_counts(minutes: int) -> None:
    """An activity just after the latest one begins another silence; one before it does not."""
    made = deal(TICK - 8 * DAY)
    stale_deal_alert.run(TICK.isoformat())
    at = TICK - 8 * DAY + minutes * timedelta(minutes=1)
    reactions.touch(made, at)
    alert(TICK)
    assert told() == [("stale", max(at, TICK - 8 * DAY))]


def test_a_deal_that_is_touched_while_its_job_waits_is_not_told_of() -> None:
    made, won = deal(TICK - 8 * DAY), deal(TICK - 8 * DAY)
    stale_deal_alert.run(TICK.isoformat())
    reactions.touch(made, TICK - SECOND)
    Deal.objects(id=won).update(status="won")
    alert(TICK)
    assert told() == []


def test_two_workers_at_once_tell_once() -> None:
    for _ in range(50):
        deal(TICK - 8 * DAY)
    stale_deal_alert.run(TICK.isoformat())
    (job,) = planned()
    threads = [threading.Thread(target=stale_deal_alert.alert, kwargs=job) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert levels() == 50 * ["stale"]
    assert deal_silence.left_over("a", "z", 10) == []


def test_killed_at_any_command_and_run_again_is_run_once() -> None:
    ids = [ObjectId() for _ in range(4)]

    def prepare() -> None:
        for kind in (Deal, EventRecord):
            kind.objects.delete()
        redis().flushall()
        for each, days in zip(ids, (1, 8, 31, 40), strict=True):
            deal(TICK - days * DAY, _id=each)

    prepare()
    alert(TICK)
    once, events = documents(), sorted(told())

    def check() -> None:
        assert (documents(), sorted(told())) == (once, events)

    assert killing.everywhere(prepare, lambda: alert(TICK), check) > 20


@pytest.mark.parametrize("spoilt", [{"assigned_to": "ada"}, {"contact_ids": ["grace"]}, {"assigned_to": 7}])
def test_a_deal_of_another_program_with_a_strange_id_stops_no_other(spoilt: dict[str, Any]) -> None:
    since = TICK - 7 * DAY
    for workspace in (WORKSPACE, ObjectId()):
        deal(since, workspace, **spoilt)
        deal(since, workspace, assigned_to=OWNER)
    alert(TICK, TICK + DAY)
    assert told() == [("stale", since)] * 4
    owners = [record.payload.get("assignedTo") for record in EventRecord.objects]
    assert owners.count(str(OWNER)) == 2


def test_each_workspace_has_its_days_and_an_invalid_set_holds_until_it_is_right() -> None:
    strict, broken = ObjectId(), ObjectId()
    BusinessProfile(id=strict, rules={"stale_deals": {"staleDays": 2, "atRiskDays": 3}}).save()
    invalid = {"_id": broken, "rules": {"stale_deals": {"staleDays": 90}}}
    BusinessProfile._get_collection().insert_one(invalid)
    for workspace in (strict, broken, WORKSPACE):
        deal(TICK - 2 * DAY, workspace)
        deal(TICK - 7 * DAY, workspace)
    alert(TICK)
    found = [(record.workspace_id, record.payload["level"]) for record in EventRecord.objects]
    assert sorted(found) == sorted([(strict, "stale"), (strict, "at_risk"), (WORKSPACE, "stale")])
    assert "staleDays: must be less than atRiskDays" in Notification.objects.get().message
    BusinessProfile.put(broken, {"stale_deals": {"staleDays": 5}})
    alert(TICK + DAY)
    theirs = EventRecord.objects(workspace_id=broken)
    assert [record.payload["level"] for record in theirs] == ["stale"]


def test_changed_days_count_for_a_deal_that_is_touched_before_it_is_looked_at() -> None:
    workspace = Workspace(name="Acme", time_zone="America/New_York").save().id
    BusinessProfile.put(workspace, {"stale_deals": {"staleDays": 60, "atRiskDays": 90}})
    made = deal(TICK - DAY, workspace)
    alert(TICK)
    BusinessProfile.put(workspace, {"stale_deals": {"staleDays": 7}})
    stale_deal_alert.run((TICK + DAY).isoformat())  # its jobs wait for 9 o'clock there
    touched = TICK + DAY + HOUR
    reactions.touch(made, touched)
    for kwargs in planned():
        stale_deal_alert.alert(**kwargs)
    alert(TICK + 9 * DAY)
    assert told() == [("stale", touched)]


@pytest.mark.parametrize("days", [{"staleDays": 5}, {}], ids=["own days", "the defaults"])
def test_days_that_are_changed_and_changed_back_count_as_they_are(days: dict[str, int]) -> None:
    """Though a deal was looked at in between, and planned by those of then."""
    BusinessProfile.put(WORKSPACE, {"stale_deals": {"staleDays": 6}})
    stale_deal_alert.run((TICK - DAY).isoformat())
    BusinessProfile.put(WORKSPACE, {"stale_deals": days} if days else {})
    stale_deal_alert.run((TICK - HOUR).isoformat())
    deal(TICK - DAY)
    stale_deal_alert.run(TICK.isoformat())
    BusinessProfile.put(WORKSPACE, {"stale_deals": {"staleDays": 60, "atRiskDays": 90}})
    for kwargs in planned():
        stale_deal_alert.alert(**kwargs)
    BusinessProfile.put(WORKSPACE, {"stale_deals": days} if days else {})
    alert(TICK + 6 * DAY)
    assert told() == [("stale", TICK - DAY)]


def test_changed_days_count_from_the_next_tick_on() -> None:
    made, known = deal(TICK - 3 * DAY), deal(TICK - 8 * DAY)
    alert(TICK)
    assert told() == [("stale", TICK - 8 * DAY)]
    BusinessProfile(id=WORKSPACE, rules={"stale_deals": {"staleDays": 4, "atRiskDays": 9}}).save()
    alert(TICK + DAY)
    assert sorted(told()[1:]) == [("at_risk", TICK - 8 * DAY), ("stale", TICK - 3 * DAY)]
    BusinessProfile.objects(id=WORKSPACE).update(unset__rules=True)
    alert(TICK + 2 * DAY)
    assert stored(made)["silence"]["due_at"] == TICK + 27 * DAY
    assert stored(known)["silence"]["level"] == "at_risk"
    assert len(told()) == 3


@pytest.mark.parametrize("deals", [4, 40])
def test_a_range_costs_the_same_commands_whatever_its_size(
    deals: int, count_store_commands: CountCommands
) -> None:
    for number in range(deals):
        deal(TICK - (8 if number % 2 else 1) * DAY)
    with count_store_commands() as commands:
        stale_deal_alert.run(TICK.isoformat())
    # Left alerts, left tasks, changed rules, time zones, due deals, new ones.
    assert commands == 7 * ["find"]
    (job,) = planned()
    with count_store_commands() as commands:
        stale_deal_alert.alert(**job)
    # Rules, look, alerts; then the events, and that they are published.
    assert commands == ["find", "update", "find", "insert", "update"]
    assert len(told()) == deals // 2


def test_a_crm_in_which_nothing_became_stale_is_not_looked_at() -> None:
    for days in range(100):
        deal(TICK - days * DAY / 20)
    alert(TICK)
    redis().flushall()
    assert stale_deal_alert.run((TICK + HOUR).isoformat()) == 0


def test_workspaces_are_found_with_the_same_queries_and_cut_in_ranges(
    monkeypatch: pytest.MonkeyPatch, count_store_commands: CountCommands
) -> None:
    monkeypatch.setattr(stale_deal_alert, "RANGE", 3)
    for number in range(12):
        workspace = ObjectId()
        for extra in range(1 + 6 * (number == 5)):
            deal(TICK - 8 * DAY + extra * SECOND, workspace)
    with count_store_commands() as commands:
        stale_deal_alert.run(TICK.isoformat())
    assert commands == 7 * ["find"]
    assert len(planned()) == 14
    alert(TICK)
    assert len(told()) == 18


@pytest.mark.parametrize("same", [1, 2, 3, 4, 7])
def test_ranges_hold_each_deal_once_though_many_are_of_one_moment(same: int) -> None:
    for number in range(9):
        deal(TICK - 3 * DAY + number * SECOND)
    for _ in range(same):
        deal(TICK - 3 * DAY + 4 * SECOND)
    alert(TICK)
    for size in range(1, 12):
        parts = [part for part, _ in deal_silence.ranges(TICK + 9 * DAY, {}, size)]
        found = [row["_id"] for part in parts for row in Deal._get_collection().find(part.query)]
        assert sorted(found) == [row["_id"] for row in documents()]
        assert max(part.deals for part in parts) <= size


def test_every_query_goes_through_an_index() -> None:
    for number in range(5):
        deal(TICK - 8 * DAY + number * SECOND)
    (unseen, _), *_ = deal_silence.ranges(TICK, {}, 10)
    alert(TICK)
    (seen, _), *_ = deal_silence.ranges(TICK + 90 * DAY, {}, 10)
    queries = [
        unseen.query,
        seen.query,
        {"status": "open", "silence.due_at": {"$lt": TICK}},
        {"status": "open", "silence.due_at": None},
        {"silence.unannounced.batch": "x"},
        {"silence.ended": {"$exists": True}},
    ]
    for query in queries:
        assert "COLLSCAN" not in plan(Deal, query), query
    assert "COLLSCAN" not in plan(Workspace, {"time_zone": {"$gt": ""}})
    for place in ("rules", "applied"):
        assert "COLLSCAN" not in plan(BusinessProfile, {f"{place}.stale_deals": {"$exists": True}})


def plan(kind: Any, query: dict[str, Any]) -> str:
    found = str(kind._get_collection().find(query).explain()["queryPlanner"]["winningPlan"])
    assert "SCAN" in found
    return found
