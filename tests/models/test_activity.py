"""Timelines: of a contact, a deal, a company; the latest first, page by page, each source once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from models.activity import About, Activity
from models.contact import Contact

pytestmark = pytest.mark.usefixtures("clean_store")

WORKSPACE, OTHER = ObjectId(), ObjectId()
NOON = datetime(2026, 2, 4, 12, tzinfo=UTC)


def entry(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "workspace_id": WORKSPACE,
        "kind": "call",
        "title": str(number),
        "source": f"test:{number}:{ObjectId()}",
        "happened_at": NOON + timedelta(minutes=number),
        **fields,
    }


def titles(found: list[Activity]) -> list[str]:
    return [each.title for each in found]


def test_a_timeline_is_in_the_order_in_which_things_happened_whenever_they_were_entered() -> None:
    contact_id = ObjectId()
    for number in (3, 1, 2):
        Activity.record(**entry(number, contact_id=contact_id))
    Activity.record(**entry(4, contact_id=ObjectId()))
    assert titles(Activity.timeline(WORKSPACE, About(contact_id=contact_id), 9)) == ["3", "2", "1"]


def test_pages_leave_nothing_out_and_repeat_nothing_even_within_a_millisecond() -> None:
    deal_id = ObjectId()
    Activity.record_all([entry(number // 3, deal_id=deal_id) for number in range(20)])
    seen: list[Activity] = []
    place: tuple[datetime, ObjectId] | None = None
    while page := Activity.timeline(WORKSPACE, About(deal_id=deal_id), 3, after=place):
        seen += page
        place = (page[-1].happened_at, page[-1].id)
    assert len({each.id for each in seen}) == len(seen) == 20
    assert [each.happened_at for each in seen] == sorted((e.happened_at for e in seen), reverse=True)


def test_a_companys_timeline_is_that_of_the_people_who_work_there(count_store_commands: Any) -> None:
    company_id = ObjectId()
    for number in range(3):
        contact, _ = Contact.upsert(WORKSPACE, f"{number}@navy.test", {"company_id": company_id})
        Activity.record(**entry(number, contact_id=contact.id))
    Activity.record(**entry(3, company_id=company_id))
    Activity.record(**entry(4, contact_id=ObjectId()))
    with count_store_commands() as commands:
        assert titles(Activity.timeline(WORKSPACE, About(company_id=company_id), 9)) == ["3", "2", "1", "0"]
    assert commands == ["find", "find"]


def test_another_workspace_sees_nothing() -> None:
    contact_id = ObjectId()
    Activity.record(**entry(1, contact_id=contact_id))
    assert Activity.timeline(OTHER, About(contact_id=contact_id), 9) == []


def test_a_source_is_entered_once_whoever_comes_at_the_same_time() -> None:
    entries = [entry(number, contact_id=WORKSPACE) for number in range(30)]
    barrier = threading.Barrier(4)
    new: list[int] = []

    def work() -> None:
        barrier.wait(10)
        new.append(Activity.record_all(entries))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(new) == Activity.objects.count() == 30


def test_each_kind_of_timeline_has_its_index() -> None:
    keys = [index["key"] for index in Activity._get_collection().index_information().values()]
    for name in ("contact_id", "company_id", "deal_id"):
        assert [(name, 1), ("happened_at", -1), ("_id", -1)] in keys
    newest = [("happened_at", -1), ("_id", -1)]
    plan = Activity._get_collection().find({"contact_id": ObjectId()}).sort(newest).explain()
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
