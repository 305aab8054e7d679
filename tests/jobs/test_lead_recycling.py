"""A lost lead that shows interest again is worked once more, by the rules and to the last boundary."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from jobs import lead_recycling
from models import contact_intent, contact_recycling
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.enrolment import Enrolment
from models.event import EventRecord
from models.intent import Source
from models.lead_recycling import LeadRecycling
from models.notification import Notification
from models.sequence import Sequence
from models.suppression import Suppression
from models.task import Task
from models.workspace import Workspace
from queues.connection import redis
from schemas.rules import IntentRules
from tests import killing

TICK = datetime(2026, 6, 10, 9, tzinfo=UTC)
DAY, HOUR, SECOND, MS = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1), timedelta(milliseconds=1)
WORKSPACE, OWNER = ObjectId(), ObjectId()
LONG, LATELY = TICK - 200 * DAY, TICK - DAY  # when it was lost, and showed interest
CountCommands = Callable[[], AbstractContextManager[list[str]]]
pytestmark = pytest.mark.usefixtures("stores")


def contact(
    lost: datetime | None = LONG, seen: datetime | None = LATELY, status: str = "lost", **fields: Any
) -> ObjectId:
    made = {
        "_id": ObjectId(),
        "workspace_id": WORKSPACE,
        "email": f"{ObjectId()}@navy.test",
        "status": status,
        "status_changed_at": lost,
        "last_interest_at": seen,
        "assigned_to": OWNER,
        **fields,
    }
    stored = {name: value for name, value in made.items() if value is not None}
    return ObjectId(Contact._get_collection().insert_one(stored).inserted_id)


def sequence(workspace: ObjectId = WORKSPACE, **rules: Any) -> Sequence:
    """The workspace's re-engagement sequence."""
    made = Sequence(workspace_id=workspace, name="Hello again", version=3).save()
    BusinessProfile(id=workspace, rules={"recycling": {"sequenceId": str(made.id), **rules}}).save()
    return made


def recycle(*ticks: datetime) -> None:
    """The job and all that it enqueues, run here, jobs of former ticks once more."""
    for tick in ticks:
        lead_recycling.run(tick.isoformat())
        for kwargs in planned():
            lead_recycling.recycle(**kwargs)


def planned() -> list[dict[str, Any]]:
    """The arguments of the jobs that wait, those for a later moment included."""
    from queues.job import Job

    ids = redis().lrange("rq:queue:analytics", 0, -1) + redis().zrange("rq:scheduled:analytics", 0, -1)
    return [job.kwargs for job in Job.fetch_many([key.decode() for key in ids], redis()) if job]


def is_recycled(contact_id: ObjectId) -> bool:
    """Whether all of it has happened, once; else none of it has."""
    row = Contact._get_collection().find_one({"_id": contact_id})
    done = row["status"] == "recycled"
    events = EventRecord.objects(type="contact.recycled", payload__contactId=str(contact_id))
    counts = {
        LeadRecycling.objects(contact_id=contact_id).count(),
        Task.objects(contact_id=contact_id).count(),
        events.count(),
    }
    assert counts == {int(done)}
    assert "recycling" not in row
    return bool(done)


# How long it has been lost, how long ago it showed interest, and whether it is recycled.
AGES = [
    ("a second less than ninety days", 90 * DAY - SECOND, DAY, False),
    ("exactly ninety days: not more", 90 * DAY, DAY, False),
    ("a millisecond more than ninety days", 90 * DAY + MS, DAY, True),
    ("a second more than ninety days", 90 * DAY + SECOND, DAY, True),
    ("years", 2_000 * DAY, DAY, True),
    ("interest of this moment", 100 * DAY, timedelta(), True),
    ("interest after the tick: before its job runs", 100 * DAY, -HOUR, True),
    ("interest a second less than thirty days ago", 100 * DAY, 30 * DAY - SECOND, True),
    ("interest exactly thirty days ago", 100 * DAY, 30 * DAY, True),
    ("interest a second more than thirty days ago", 100 * DAY, 30 * DAY + SECOND, False),
    ("interest before the loss", 91 * DAY, 92 * DAY, False),
    ("lost in the future", -DAY, -2 * DAY, False),
]


@pytest.mark.parametrize(("lost", "seen", "recycled"), [c[1:] for c in AGES], ids=[c[0] for c in AGES])
@pytest.mark.parametrize("status", ["lost", "unqualified"])
def test_lost_for_more_than_ninety_days_and_interest_in_the_last_thirty(
    lost: timedelta, seen: timedelta, recycled: bool, status: str
) -> None:
    made = contact(TICK - lost, TICK - seen, status)
    recycle(TICK)
    assert is_recycled(made) == recycled


@pytest.mark.parametrize(
    ("seen", "recycled"),
    [(-SECOND, False), (timedelta(), False), (MS, True), (SECOND, True)],
    ids=["a second before", "at the same moment", "a millisecond after", "a second after"],
)
def test_interest_counts_from_the_loss_on(seen: timedelta, recycled: bool) -> None:
    sequence(lostDays=10)
    made = contact(TICK - 11 * DAY, TICK - 11 * DAY + seen)
    recycle(TICK)
    assert is_recycled(made) == recycled


# Calendars do not matter: a day has 24 hours. When it was lost: one second later it is not recycled yet.
DAYS = [
    ("the leap day", datetime(2028, 1, 1, 9, tzinfo=UTC), datetime(2028, 3, 31, 9, tzinfo=UTC)),
    ("no leap day", datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)),
    ("summer time", datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 5, 30, 9, tzinfo=UTC)),
    ("winter time", datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 12, 30, 9, tzinfo=UTC)),
]


@pytest.mark.parametrize(("lost", "tick"), [case[1:] for case in DAYS], ids=[case[0] for case in DAYS])
def test_ninety_days_are_ninety_days_whatever_the_calendar_says(lost: datetime, tick: datetime) -> None:
    just, not_yet = contact(lost - MS, tick - DAY), contact(lost, tick - DAY)
    recycle(tick)
    assert (is_recycled(just), is_recycled(not_yet)) == (True, False)


@pytest.mark.parametrize("status", ["lead", "contact", "customer", "recycled"])
def test_who_is_not_lost_is_left_alone(status: str) -> None:
    contact(status=status)
    before = documents()
    recycle(TICK)
    assert documents() == before
    assert EventRecord.objects.count() == 0


def documents() -> list[Any]:
    return list(Contact._get_collection().find().sort("_id"))


@pytest.mark.parametrize("fields", [{"lost": None}, {"seen": None}], ids=["no loss", "no interest"])
def test_of_whom_too_little_is_known_nothing_is_decided(fields: dict[str, Any]) -> None:
    made = contact(**fields)
    recycle(TICK)
    assert not is_recycled(made)


def test_without_a_moment_of_the_loss_the_last_edit_counts() -> None:
    old, new = contact(None, updated_at=LONG), contact(None, updated_at=TICK - 89 * DAY)
    recycle(TICK)
    assert (is_recycled(old), is_recycled(new)) == (True, False)
    assert LeadRecycling.objects.get().lost_at == LONG


@pytest.mark.parametrize(
    ("edited", "moment", "recycled"),
    [(TICK - DAY, None, False), (LONG, None, True), (TICK - DAY, LONG, True), (LONG, TICK - DAY, False)],
)
def test_a_status_that_another_program_changed_alone_counts_from_the_last_edit(
    edited: datetime, moment: datetime | None, recycled: bool
) -> None:
    """And not from when we saw it change last, to another one."""
    made = Contact(workspace_id=WORKSPACE, email="grace@navy.test", status_changed_at=TICK - 999 * DAY).save()
    change = {"status": "lost", "updated_at": edited, "last_interest_at": TICK - HOUR}
    if moment:
        change["status_changed_at"] = moment
    Contact._get_collection().update_one({"_id": made.id}, {"$set": change})
    recycle(TICK)
    assert is_recycled(made.id) == recycled


@pytest.mark.parametrize("how", ["saved", "upserted"])
def test_a_status_that_is_changed_here_counts_from_then(how: str) -> None:
    made = Contact(workspace_id=WORKSPACE, email="grace@navy.test", status_changed_at=TICK - 999 * DAY).save()
    if how == "saved":
        made.status = "lost"
        made.save()
    else:
        Contact.upsert(WORKSPACE, "grace@navy.test", {"status": "lost"})
    lost_at = made.reload().status_changed_at
    long_ago = {"updated_at": lost_at - 900 * DAY, "last_interest_at": lost_at + DAY}
    Contact._get_collection().update_one({"_id": made.id}, {"$set": long_ago})
    recycle(lost_at + 90 * DAY)
    assert not is_recycled(made.id)
    Contact.objects(id=made.id).update(set__last_interest_at=lost_at + 80 * DAY)
    recycle(lost_at + 90 * DAY + MS)
    assert is_recycled(made.id)


def test_all_that_follows() -> None:
    again = sequence()
    made = contact(status="unqualified")
    recycle(TICK)
    assert is_recycled(made)
    row, enrolment, task = LeadRecycling.objects.get(), Enrolment.objects.get(), Task.objects.get()
    assert (row.lost_at, row.lost_as, row.interest_at, row.recycled_at) == (LONG, "unqualified", LATELY, TICK)
    assert (row.enrolment_id, row.task_id) == (enrolment.id, task.id)
    assert (enrolment.contact_id, enrolment.sequence_id, enrolment.version) == (made, again.id, 3)
    assert enrolment.status == "active"
    assert (task.title, task.assigned_to, task.status) == ("Follow up with recycled lead", OWNER, "open")
    event = EventRecord.objects.get(type="contact.recycled")
    assert event.payload["enrolmentId"] == str(enrolment.id)
    assert datetime.fromisoformat(event.payload["lostAt"]) == LONG
    assert EventRecord.objects(type="task.created").count() == 1


@pytest.mark.parametrize(
    ("state", "recycled"),
    [
        ({"status": "active"}, False),
        ({"status": "active", "paused_at": LONG}, False),
        ({"status": "completed"}, True),
        ({"status": "stopped"}, True),
    ],
)
def test_who_is_in_a_sequence_is_left_alone(state: dict[str, Any], recycled: bool) -> None:
    made = contact()
    other = {"workspace_id": WORKSPACE, "sequence_id": ObjectId(), "version": 1}
    Enrolment(**other, contact_id=made, key="k", **state).save()
    recycle(TICK)
    assert is_recycled(made) == recycled
    Enrolment.objects.update(set__status="completed")
    recycle(TICK + DAY)
    assert is_recycled(made)


@pytest.mark.parametrize("reason", ["unsubscribed", "unreachable"])
def test_who_must_get_no_mail_is_left_alone(reason: Any) -> None:
    made, other = contact(email="grace@navy.test"), contact()
    Suppression.add(WORKSPACE, ["Grace@navy.test"], reason, LONG)
    recycle(TICK)
    assert (is_recycled(made), is_recycled(other)) == (False, True)


def test_each_loss_is_recycled_once() -> None:
    sequence()
    made = contact()
    recycle(TICK, TICK, TICK + DAY)
    assert is_recycled(made)
    change = {"status": "lost", "status_changed_at": TICK + 2 * DAY, "last_interest_at": TICK + 100 * DAY}
    Contact._get_collection().update_one({"_id": made}, {"$set": change})
    Enrolment.objects.update(set__status="completed")
    recycle(TICK + 92 * DAY)
    assert LeadRecycling.objects.count() == 1
    recycle(TICK + 101 * DAY, TICK + 102 * DAY)
    assert LeadRecycling.objects.count() == Task.objects.count() == Enrolment.objects.count() == 2
    assert EventRecord.objects(type="contact.recycled").count() == 2


def test_a_second_run_and_a_clock_that_goes_back_change_nothing() -> None:
    for days in range(0, 200, 10):
        contact(TICK - days * DAY)
    recycle(TICK)
    before = documents()
    redis().flushall()  # whatever Redis remembers
    recycle(TICK, TICK - DAY, TICK - 50 * DAY)
    assert documents() == before


@pytest.mark.parametrize("change", [{"status": "customer"}, {"status_changed_at": TICK - DAY}])
def test_what_is_changed_between_reading_and_writing_stays(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    made, other = contact(), contact()
    original = contact_recycling.recycle

    def late(*args: Any) -> None:
        Contact._get_collection().update_one({"_id": made}, {"$set": change})
        original(*args)

    monkeypatch.setattr(contact_recycling, "recycle", late)
    recycle(TICK)
    assert (is_recycled(made), is_recycled(other)) == (False, True)


def test_what_is_changed_between_planning_and_reading_counts() -> None:
    won, later = contact(), contact(TICK - 91 * DAY)
    lead_recycling.run(TICK.isoformat())
    Contact.objects(id=won).update(status="customer")
    Contact.objects(id=later).update(status_changed_at=TICK - HOUR)
    recycle(TICK)
    assert (is_recycled(won), is_recycled(later)) == (False, False)


def test_two_workers_at_once_recycle_once() -> None:
    sequence()
    made = [contact() for _ in range(20)]
    lead_recycling.run(TICK.isoformat())
    (job,) = planned()
    threads = [threading.Thread(target=lead_recycling.recycle, kwargs=job) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(map(is_recycled, made))
    assert Enrolment.objects.count() == 20


def test_killed_at_any_command_and_run_again_is_run_once() -> None:
    sequence()
    ids = [ObjectId() for _ in range(3)]

    def prepare() -> None:
        for kind in (Contact, EventRecord, Enrolment, LeadRecycling, Task):
            kind.objects.delete()
        redis().flushall()
        for each, seen in zip(ids, (LATELY, LATELY, LONG), strict=True):
            contact(seen=seen, _id=each)

    def check() -> None:
        assert [is_recycled(each) for each in ids] == [True, True, False]
        assert [enrolment.status for enrolment in Enrolment.objects] == ["active", "active"]
        assert EventRecord.objects.count() == 4

    assert killing.everywhere(prepare, lambda: recycle(TICK), check) > 30


def test_what_a_dead_job_left_is_done_by_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    made = contact()
    with monkeypatch.context() as patch:
        patch.setattr(contact_recycling, "recycled", lambda _: [])
        recycle(TICK)
    redis().flushall()
    lead_recycling.run((TICK + DAY).isoformat())
    assert is_recycled(made)


SPOILT: list[dict[str, Any]] = [
    {"assigned_to": "ada"},
    {"status_changed_at": "2026-01-01"},
    {"status_changed_at": None, "updated_at": 7},
    {"email": None},
    {"email": ["grace@navy.test"]},
    {"last_interest_at": "2026-06-09"},
]


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_contact_of_another_program_with_a_strange_field_stops_no_other(spoilt: dict[str, Any]) -> None:
    sequence()
    made = contact()
    theirs = [contact(workspace_id=each) for each in (WORKSPACE, ObjectId())]
    Contact._get_collection().update_one({"_id": made}, {"$set": spoilt})
    recycle(TICK)
    recycle(TICK + DAY)
    assert [is_recycled(each) for each in theirs] == [True, True]


def test_each_workspace_has_its_days_and_an_invalid_set_holds_until_it_is_right() -> None:
    quick, broken = ObjectId(), ObjectId()
    BusinessProfile(id=quick, rules={"recycling": {"lostDays": 5, "interestDays": 60}}).save()
    BusinessProfile._get_collection().insert_one({"_id": broken, "rules": {"recycling": {"lostDays": 0}}})
    early = [
        contact(TICK - 50 * DAY, TICK - 40 * DAY, workspace_id=each) for each in (quick, broken, WORKSPACE)
    ]
    usual = contact(workspace_id=broken)
    recycle(TICK)
    assert [is_recycled(each) for each in (*early, usual)] == [True, False, False, False]
    assert "rules.recycling.lostDays" in Notification.objects.get().message
    BusinessProfile.put(broken, {"recycling": {"lostDays": 100}})
    recycle(TICK + DAY)
    assert [is_recycled(each) for each in (*early, usual)] == [True, False, False, True]


def test_of_a_sequence_that_cannot_be_used_the_admins_are_told_once() -> None:
    sequence().update(set__is_active=False)
    for tick in (TICK, TICK + DAY):
        contact(email=f"{tick:%d}@navy.test")
        recycle(tick)
    assert Enrolment.objects.count() == 0
    assert LeadRecycling.objects.count() == 2
    assert "rules.recycling.sequenceId" in Notification.objects.get().message


def test_another_workspaces_sequence_is_not_used() -> None:
    theirs = Sequence(workspace_id=ObjectId(), name="Theirs").save()
    BusinessProfile(id=WORKSPACE, rules={"recycling": {"sequenceId": str(theirs.id)}}).save()
    contact()
    recycle(TICK)
    assert Enrolment.objects.count() == 0


def test_a_workspace_with_a_time_zone_has_it_done_at_nine_there() -> None:
    workspace = Workspace(name="Acme", time_zone="Asia/Tokyo").save()
    nine = datetime(2026, 6, 11, tzinfo=UTC)
    made = contact(nine - 90 * DAY - MS, workspace_id=workspace.id)
    contact(nine - 90 * DAY, workspace_id=workspace.id)
    lead_recycling.run(TICK.isoformat())
    (job,) = planned()
    assert job["contact_ids"] == [str(made)]
    assert datetime.fromisoformat(job["as_of"]) == nine


@pytest.mark.parametrize("kind", ["page_view", "email_open", "link_click"])
def test_what_a_contact_does_shows_its_interest(kind: Any) -> None:
    made = contact(seen=None)
    contact_intent.count(WORKSPACE, {made: [Source(ObjectId(), kind, LATELY)]}, IntentRules())
    recycle(TICK)
    assert is_recycled(made)


@pytest.mark.parametrize("contacts", [2, 20])
def test_a_part_costs_the_same_commands_whatever_its_size(
    contacts: int, count_store_commands: CountCommands
) -> None:
    sequence()
    made = [contact() for _ in range(contacts)]
    with count_store_commands() as commands:
        lead_recycling.run(TICK.isoformat())
    # What is left over, own rules, time zones, lost ones, unqualified ones.
    assert commands == 5 * ["find"]
    (job,) = planned()
    with count_store_commands() as commands:
        lead_recycling.recycle(**job)
    decided = ["find", "find", "find", "find", "find", "update", "find"]
    followed = ["insert", "find", "insert", "find", "insert", "insert", "update"]
    assert commands == decided + followed
    assert all(map(is_recycled, made))


def test_workspaces_are_found_with_the_same_queries_and_cut_in_parts(
    monkeypatch: pytest.MonkeyPatch, count_store_commands: CountCommands
) -> None:
    monkeypatch.setattr(lead_recycling, "PART", 3)
    for number in range(6):
        workspace = ObjectId()
        for _ in range(1 + 6 * (number == 5)):
            contact(workspace_id=workspace)
    with count_store_commands() as commands:
        lead_recycling.run(TICK.isoformat())
    assert commands == 5 * ["find"]
    assert len(planned()) == 8
    recycle(TICK)
    assert LeadRecycling.objects.count() == 12


def test_every_query_goes_through_an_index() -> None:
    for _ in range(5):
        contact()
    for kind, query in (
        (Contact, {"status": "lost", "last_interest_at": {"$gte": TICK}}),
        (Contact, {"recycling.batch": "x"}),
        (Contact, {"recycling.batch": {"$gte": "recycling-", "$lt": "recycling-2026"}}),
        (BusinessProfile, {"rules.recycling": {"$exists": True}}),
    ):
        plan = str(kind._get_collection().find(query).explain()["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in plan, query
        assert "COLLSCAN" not in plan, query
