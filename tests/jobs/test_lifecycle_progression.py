"""Contacts move by the rules, to the last boundary, once, however often and whenever the job runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from bson import ObjectId

from jobs import lifecycle_progression
from models import contact_lifecycle, store
from models.activity import Activity
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.deal import Deal
from models.form_submission import FormSubmission
from models.lifecycle_step import LifecycleStep
from models.notification import Notification
from models.once import Once
from tests.jobs.lifecycles import (
    AT,
    TICK,
    WORKSPACE,
    contact,
    deal,
    everything,
    forget_jobs,
    form,
    history,
    is_marked,
    planned,
    progress,
    ready,
    row,
    stage,
    state,
    talk,
    told,
)

pytestmark = pytest.mark.usefixtures("stores")
Counting = Callable[[], AbstractContextManager[list[str]]]
PATH = ["lead", "mql", "sql", "opportunity", "customer"]
STEPS = list(pairwise(PATH))

# Lead to MQL: what is stored of a contact that filled in a form, and whether that is enough.
LEADS: list[tuple[str, dict[str, Any], bool]] = [
    ("exactly 50 is not over 50", {"lead_grade": "B", "intent_score": 50}, False),
    ("51 is", {"lead_grade": "B", "intent_score": 51}, True),
    ("49", {"lead_grade": "B", "intent_score": 49}, False),
    ("the best grade", {"lead_grade": "A", "intent_score": 51}, True),
    ("a grade below the least", {"lead_grade": "C", "intent_score": 1_000}, False),
    ("the last grade", {"lead_grade": "D", "intent_score": 51}, False),
    ("no grade yet", {"intent_score": 51}, False),
    ("no score yet", {"lead_grade": "A"}, False),
    ("a grade that is null", {"lead_grade": None, "intent_score": 51}, False),
    ("a grade of another program", {"lead_grade": "AB", "intent_score": 51}, False),
    ("a grade that is no text", {"lead_grade": ["A"], "intent_score": 51}, False),
    ("a score that is text", {"lead_grade": "A", "intent_score": "99"}, False),
    ("a score with a fraction", {"lead_grade": "A", "intent_score": 50.5}, True),
    ("no stage: a lead", {"lead_grade": "A", "intent_score": 51, "lifecycle_stage": None}, True),
    (
        "a subscriber is no lead yet",
        {"lead_grade": "A", "intent_score": 51, "lifecycle_stage": "subscriber"},
        False,
    ),
    ("a stage of another program", {"lead_grade": "A", "intent_score": 51, "lifecycle_stage": "Lead"}, False),
    ("overridden", {"lead_grade": "A", "intent_score": 51, "manual_override": True}, False),
    ("not overridden", {"lead_grade": "A", "intent_score": 51, "manual_override": False}, True),
    (
        "overridden by another program",
        {"lead_grade": "A", "intent_score": 51, "manual_override": "yes"},
        False,
    ),
]


@pytest.mark.parametrize(("stored", "moves"), [case[1:] for case in LEADS], ids=[case[0] for case in LEADS])
def test_a_lead_with_grade_interest_and_a_form_is_marketing_qualified(
    stored: dict[str, Any], moves: bool
) -> None:
    made = contact(**stored)
    form(made)
    before = stage(made)
    progress()
    assert stage(made) == ("mql" if moves else before)
    assert len(history(made)) == len(told(made)) == moves
    assert not is_marked(made)


def test_a_lead_without_a_form_stays_one() -> None:
    made, other = ready(), ready()
    form(other)
    form(made, workspace=ObjectId())  # another workspace's, of the same contact: nobody's
    talk(made)
    progress()
    assert (stage(made), stage(other)) == ("lead", "mql")


# MQL to SQL: grade, kind of what was entered, and whether that is enough.
TALKS = [
    ("a call", "A", "call", True),
    ("a meeting", "A", "meeting", True),
    ("a meeting that is only agreed on", "A", "meeting_scheduled", False),
    ("a note", "A", "note", False),
    ("nothing", "A", None, False),
    ("a grade below the least", "B", "call", False),
    ("no grade", None, "call", False),
]


@pytest.mark.parametrize(
    ("grade", "kind", "moves"), [case[1:] for case in TALKS], ids=[case[0] for case in TALKS]
)
def test_a_call_or_meeting_and_the_best_grade_qualify_for_sales(
    grade: str | None, kind: str | None, moves: bool
) -> None:
    made = ready("mql", lead_grade=grade, intent_score=0)  # interest has faded since: that does not matter
    if kind:
        talk(made, kind)
    progress()
    assert stage(made) == ("sql" if moves else "mql")


@pytest.mark.parametrize(
    "stored", [{"status": "open"}, {"status": "won"}, {"status": "lost"}, {"status": None}]
)
def test_any_deal_makes_an_opportunity_of_each_of_its_contacts(stored: dict[str, Any]) -> None:
    first, second, other = ready("sql"), ready("sql"), ready("sql")
    deal(first, second, **stored)
    deal(other, workspace=ObjectId())
    progress()
    assert [stage(each) for each in (first, second, other)] == ["opportunity", "opportunity", "sql"]


# Opportunity to customer: deals of the contact, and whether they are enough. That of another zone is the same
# moment, and no date is too early or too late.
DEALS: list[tuple[str, list[dict[str, Any]], bool]] = [
    ("won, with a date", [{"status": "won", "closed_at": AT}], True),
    ("won, without a date", [{"status": "won"}], False),
    ("won, the date is null", [{"status": "won", "closed_at": None}], False),
    ("won, the date is text", [{"status": "won", "closed_at": "2026-03-01"}], False),
    ("lost, with a date", [{"status": "lost", "closed_at": AT}], False),
    ("open again, with a date", [{"status": "open", "closed_at": AT}], False),
    ("open, only expected to close", [{"status": "open", "expected_close_date": AT}], False),
    ("won and date on two deals", [{"status": "won"}, {"status": "lost", "closed_at": AT}], False),
    ("one of three", [{"status": "open"}, {"status": "won", "closed_at": AT}, {"status": "lost"}], True),
    (
        "on the leap day",
        [{"status": "won", "closed_at": datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)}],
        True,
    ),
    (
        "in the hour that summer time skips",
        [{"status": "won", "closed_at": datetime(2026, 3, 29, 1, 30, tzinfo=UTC)}],
        True,
    ),
    ("a clock that was ahead", [{"status": "won", "closed_at": TICK + timedelta(days=365)}], True),
    ("none", [], False),
]


@pytest.mark.parametrize(("deals", "moves"), [case[1:] for case in DEALS], ids=[case[0] for case in DEALS])
def test_a_won_deal_with_a_close_date_makes_a_customer(deals: list[dict[str, Any]], moves: bool) -> None:
    made = ready("opportunity", lead_grade="D", intent_score=None)
    for stored in deals:
        deal(made, **stored)
    progress()
    assert stage(made) == ("customer" if moves else "opportunity")


@pytest.mark.parametrize("at", PATH)
def test_all_steps_that_are_due_are_taken_at_once_each_with_a_row_and_an_event(at: str) -> None:
    made = ready(at)
    everything(made)
    progress()
    steps = STEPS[PATH.index(at) :]
    assert stage(made) == "customer"
    assert history(made) == told(made) == steps
    assert len({step.at for step in LifecycleStep.of(made)}) <= 1


def test_a_step_that_is_not_due_keeps_those_after_it_waiting() -> None:
    made = ready()
    form(made)
    deal(made, status="won", closed_at=AT)
    progress()
    assert stage(made) == "mql"


@pytest.mark.parametrize("at", ["customer", "evangelist"])
def test_nobody_moves_backwards_or_from_the_end(at: str) -> None:
    made = ready(at)
    everything(made)
    progress()
    assert (stage(made), told(made)) == (at, [])


def test_what_no_longer_holds_takes_no_step_back() -> None:
    made = ready()
    form(made)
    progress()
    Contact._get_collection().update_one({"_id": made}, {"$set": {"lead_grade": "D", "intent_score": 0}})
    FormSubmission.objects.delete()
    contact_lifecycle.mark(WORKSPACE, [made])
    progress(TICK + timedelta(hours=2))
    assert (stage(made), len(told(made))) == ("mql", 1)


def test_who_is_put_back_by_people_moves_again_and_that_is_told_again() -> None:
    made = ready()
    form(made)
    progress()
    Contact._get_collection().update_one({"_id": made}, {"$set": {"lifecycle_stage": "lead"}})
    contact_lifecycle.mark(WORKSPACE, [made])
    progress(TICK + timedelta(hours=2))
    assert history(made) == told(made) == 2 * [("lead", "mql")]


@pytest.mark.parametrize("tick", [TICK - timedelta(days=400), datetime(2028, 2, 29, 2, tzinfo=UTC), TICK])
def test_the_time_of_the_tick_does_not_matter(tick: datetime) -> None:
    """Leap days, clocks that go back: no rule asks what time it is."""
    made = ready()
    form(made)
    progress(TICK)
    talk(made)
    contact_lifecycle.mark(WORKSPACE, [made])
    forget_jobs()
    progress(tick)
    assert stage(made) == "sql"


CHANGES = [
    ("overridden", {"$set": {"manual_override": True}}, "lead"),
    ("moved back by people", {"$set": {"lifecycle_stage": "subscriber"}}, "subscriber"),
    ("moved ahead by people", {"$set": {"lifecycle_stage": "evangelist"}}, "evangelist"),
    ("graded down", {"$set": {"lead_grade": "D"}}, "lead"),
    ("interest faded", {"$set": {"intent_score": 50}}, "lead"),
    ("marked again", {"$set": {"lifecycle.mark.value": ObjectId()}}, "lead"),
]


@pytest.mark.parametrize(
    ("change", "left"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_what_changes_between_reading_and_writing_is_respected_and_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], left: str
) -> None:
    made, other = ready(), ready()
    form(made)
    form(other)
    original = Deal.by_contacts

    def between(*args: Any) -> Any:
        Contact._get_collection().update_one({"_id": made}, change)
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Deal, "by_contacts", between)
        progress()
    assert (stage(made), told(made)) == (left, [])
    assert is_marked(made)
    assert (stage(other), is_marked(other)) == ("mql", False)
    progress(TICK + timedelta(hours=2))
    assert not is_marked(made)


def test_a_fact_that_comes_while_its_contact_is_looked_at_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = ready("mql")
    original = contact_lifecycle.looked_at

    def late(*args: Any) -> None:
        talk(made)
        contact_lifecycle.mark(WORKSPACE, [made])
        original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(contact_lifecycle, "looked_at", late)
        progress()
    assert stage(made) == "mql"
    progress(TICK + timedelta(hours=2))
    assert stage(made) == "sql"


def test_two_workers_at_once_take_each_step_once() -> None:
    made = [ready() for _ in range(40)]
    for each in made:
        everything(each)
    lifecycle_progression.run(TICK.isoformat())
    job = planned()[-1]
    threads = [threading.Thread(target=job.func, kwargs=job.kwargs) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    progress(TICK + timedelta(hours=2))
    assert [history(each) for each in made] == [told(each) for each in made] == 40 * [STEPS]
    assert not any(is_marked(each) for each in made)


def test_run_twice_is_run_once() -> None:
    Once.mark_done(lifecycle_progression.FIRST_TIME)
    for number in range(6):
        everything(ready(PATH[number % 5]))
    lifecycle_progression.run(TICK.isoformat())
    jobs = planned()
    for job in jobs:
        job.func(**job.kwargs)
    before = state()
    for job in jobs:
        job.func(**job.kwargs)
    lifecycle_progression.run(TICK.isoformat())
    assert planned() == []
    assert state() == before


def test_each_workspace_has_its_own_rules() -> None:
    own, newsletter, demo = ObjectId(), ObjectId(), ObjectId()
    rules = {"mqlGrade": "C", "mqlIntentOver": 10, "mqlForms": [str(demo)], "sqlActivities": ["visit"]}
    BusinessProfile(id=own, rules={"lifecycle": rules}).save()
    stored: dict[str, Any] = {"workspace": own, "lead_grade": "C", "intent_score": 11}
    mild, wrong_form, usual = contact(**stored), contact(**stored), contact(lead_grade="C", intent_score=11)
    form(mild, workspace=own, form_id=demo)
    form(wrong_form, workspace=own, form_id=newsletter)
    form(usual)
    visited, called = (ready("mql", workspace=own) for _ in range(2))
    talk(visited, "visit", workspace=own)
    talk(called, "call", workspace=own)
    progress()
    assert [stage(each) for each in (mild, wrong_form, usual)] == ["mql", "lead", "lead"]
    assert [stage(each) for each in (visited, called)] == ["sql", "mql"]


INVALID: list[Any] = [
    {"mqlGrade": "E"},
    {"mqlForms": []},
    {"sqlActivities": []},
    {"mqlIntentOver": "all"},
    {"mqlIntentOver": -1},
    {"anything": True},
    None,
    [],
]


@pytest.mark.parametrize("rules", INVALID)
def test_with_invalid_rules_nobody_moves_until_they_are_right_and_the_admins_are_told_once(
    rules: Any,
) -> None:
    broken = ObjectId()
    BusinessProfile._get_collection().insert_one({"_id": broken, "rules": {"lifecycle": rules}})
    held, other = ready(workspace=broken), ready()
    everything(held, broken)
    everything(other)
    progress()
    progress(TICK + timedelta(hours=2))
    assert (stage(held), is_marked(held), stage(other)) == ("lead", True, "customer")
    notice = Notification.objects.get()
    assert (notice.workspace_id, notice.user_id) == (broken, None)
    assert notice.message.startswith(lifecycle_progression.HELD)
    assert "rules.lifecycle" in notice.message
    BusinessProfile._get_collection().update_one({"_id": broken}, {"$set": {"rules": {}}})
    progress(TICK + timedelta(hours=4))
    assert stage(held) == "customer"


def test_rules_that_are_edited_apply_to_all_contacts_of_the_workspace() -> None:
    made, other = contact(lead_grade="C", intent_score=60), contact(workspace=ObjectId(), lead_grade="C")
    form(made)
    progress()
    assert not is_marked(made)
    profile = BusinessProfile(id=WORKSPACE, rules={"lifecycle": {"mqlGrade": "C"}}).save()
    results = progress(TICK + timedelta(hours=2))
    assert (stage(made), stage(other)) == ("mql", "lead")
    assert results == [{"contacts": 1, "moved": 1}]
    assert BusinessProfile.to_recheck() == {}
    profile.rules["lifecycle"]["sqlGrade"] = "C"
    profile.save()
    talk(made)
    progress(TICK + timedelta(hours=4))
    assert stage(made) == "sql"


def test_rules_that_are_edited_while_all_are_marked_ask_for_that_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready()
    BusinessProfile(id=WORKSPACE, rules={}).save()
    first = BusinessProfile.to_recheck()[WORKSPACE]
    BusinessProfile(id=WORKSPACE, rules={"lifecycle": {"mqlGrade": "C"}}).save()
    lifecycle_progression.recheck(str(WORKSPACE), str(first), "tick")
    assert WORKSPACE in BusinessProfile.to_recheck()


def test_the_first_run_looks_at_all_contacts_of_before_and_a_second_does_not() -> None:
    """Those were never marked."""
    made = [ready(), ready(workspace=(elsewhere := ObjectId()))]
    everything(made[0])
    everything(made[1], elsewhere)
    Contact._get_collection().update_many({}, {"$unset": {"lifecycle": ""}})
    Once.objects.delete()
    lifecycle_progression.run(TICK.isoformat())
    for job in planned():
        job.func(**job.kwargs)
    for job in planned():
        job.func(**job.kwargs)
    assert [stage(each) for each in made] == ["customer", "customer"]
    lifecycle_progression.run((TICK + timedelta(hours=2)).isoformat())
    assert planned() == []


def test_a_range_is_at_most_so_many_contacts_of_one_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle_progression, "RANGE", 3)
    made = [ready(workspace=workspace) for workspace in [ObjectId() for _ in range(4)] for _ in range(4)]
    for each in made:
        form(each, workspace=row(each)["workspace_id"])
    results = progress()
    assert sorted(result["contacts"] for result in results) == 4 * [1] + 4 * [3]
    assert {stage(each) for each in made} == {"mql"}


def test_a_job_looks_at_no_more_though_all_of_the_workspace_are_marked_once_it_is_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who changes the rules of a million contacts does not have them all in one worker's memory."""
    monkeypatch.setattr(lifecycle_progression, "RANGE", 3)
    made = [ready() for _ in range(8)]
    for each in made:
        form(each)
    Contact._get_collection().update_many({"_id": {"$in": made[1:-1]}}, {"$unset": {"lifecycle.mark": ""}})
    Once.mark_done(lifecycle_progression.FIRST_TIME)
    lifecycle_progression.run(TICK.isoformat())
    (job,) = planned()
    contact_lifecycle.mark_all(WORKSPACE)
    assert job.func(**job.kwargs) == {"contacts": 3, "moved": 3}
    assert [stage(each) for each in made] == ["mql"] * 3 + ["lead"] * 5
    progress(TICK + timedelta(hours=2))
    assert [stage(each) for each in made] == ["mql"] * 8


def test_a_planner_that_dies_half_way_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle_progression, "RANGE", 2)
    monkeypatch.setattr(lifecycle_progression, "AT_ONCE", 1)
    made = [ready() for _ in range(7)]
    for each in made:
        form(each)
    original, calls = lifecycle_progression.enqueue_many, []

    def dying(jobs: Any) -> int:
        calls.append(original(jobs))
        if len(calls) == 3:
            raise ConnectionError
        return calls[-1]

    with monkeypatch.context() as patch:
        patch.setattr(lifecycle_progression, "enqueue_many", dying)
        with pytest.raises(ConnectionError):
            lifecycle_progression.run(TICK.isoformat())
    assert sum(result["moved"] for result in progress()) == 7
    assert {stage(each) for each in made} == {"mql"}


@pytest.mark.parametrize("contacts", [4, 40])
def test_a_range_costs_the_same_commands_whatever_its_size(
    contacts: int, count_store_commands: Counting
) -> None:
    Once.mark_done(lifecycle_progression.FIRST_TIME)
    made = [ready() for _ in range(contacts)]
    for each in made[::2]:
        everything(each)
    with count_store_commands() as commands:
        lifecycle_progression.run(TICK.isoformat())
    assert commands == ["find", "find", "find"]
    (job,) = planned()
    with count_store_commands() as commands:
        job.func(**job.kwargs)
    reading = ["find", "find", "aggregate", "aggregate", "aggregate"]  # rules, contacts; forms, talks, deals
    telling = ["find", "insert", "insert"]  # steps; history, events
    assert commands == [*reading, "update", *telling, "update"]
    assert [stage(each) for each in made] == contacts // 2 * ["customer", "lead"]


@pytest.mark.parametrize("contacts", [4, 40])
def test_contacts_without_a_step_cost_less(contacts: int, count_store_commands: Counting) -> None:
    made = [contact(lead_grade="D", intent_score=3) for _ in range(contacts)]
    lifecycle_progression.run(TICK.isoformat())
    job = planned()[-1]
    with count_store_commands() as commands:
        job.func(**job.kwargs)
    assert commands == ["find", "find", "update"]
    assert not any(is_marked(each) for each in made)


def test_workspaces_are_found_with_one_query(count_store_commands: Counting) -> None:
    Once.mark_done(lifecycle_progression.FIRST_TIME)
    for _ in range(12):
        ready(workspace=ObjectId())
    with count_store_commands() as commands:
        lifecycle_progression.run(TICK.isoformat())
    assert commands == ["find", "find", "find"]
    assert len(planned()) == 12


def test_an_unmarked_crm_costs_three_queries(count_store_commands: Counting) -> None:
    for each in (ready(), ready()):
        everything(each)
    progress()
    with count_store_commands() as commands:
        assert progress(TICK + timedelta(hours=2)) == []
    assert sorted(commands) == ["find", "find", "find", "insert"]  # the insert is the test's own


QUERIES: list[tuple[Any, dict[str, Any]]] = [
    (Contact, {"lifecycle.mark.workspace_id": {"$gte": store.LEAST}}),
    (
        Contact,
        {
            "lifecycle.mark.workspace_id": WORKSPACE,
            "lifecycle.mark.contact_id": {"$gte": WORKSPACE, "$lte": WORKSPACE},
        },
    ),
    (BusinessProfile, {"recheck": {"$gte": store.LEAST}}),
    (FormSubmission, {"contact_id": {"$in": [WORKSPACE]}}),
    (Activity, {"contact_id": {"$in": [WORKSPACE]}}),
    (Deal, {"contact_ids": {"$in": [WORKSPACE]}}),
    (LifecycleStep, {"contact_id": WORKSPACE}),
]


@pytest.mark.parametrize(("kind", "query"), QUERIES, ids=[kind.__name__ for kind, _ in QUERIES])
def test_what_the_job_reads_it_finds_by_an_index(kind: Any, query: dict[str, Any]) -> None:
    everything(ready())
    plan = str(kind._get_collection().find(query).explain()["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in plan
    assert "COLLSCAN" not in plan


def test_the_index_of_marks_holds_marked_contacts_alone() -> None:
    (index,) = [each for each in Contact._get_collection().list_indexes() if "lifecycle" in each["name"]]
    assert index["sparse"]
    assert set(index["key"]) == {"lifecycle.mark.workspace_id", "lifecycle.mark.contact_id"}
    assert all(name.startswith("lifecycle.mark.") for name in index["key"])  # a field of all would fill it
