"""The job that writes timeline entries, and what people enter themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from consumers import activity
from consumers.registry import Delivery
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from schemas.activity import ActivityLogged
from tests.reactions import RunJobs, happens

AT = datetime(2026, 2, 4, 9, 30, tzinfo=UTC)
DELIVERY = Delivery(str(ObjectId()), "correlation-1", AT)


def entry(**fields: Any) -> activity.Entry:
    given = {"workspace_id": str(ObjectId()), "kind": "call", "title": "Called", **fields}
    return activity.entry(DELIVERY, **given)


def test_an_entry_is_plain_and_leaves_out_what_is_not_given() -> None:
    assert entry(contact_id="c", details={"url": None, "id": "1"}).keys() == {
        *("workspace_id", "contact_id", "kind", "title", "source", "happened_at", "details")
    }
    assert entry(details={"url": None, "id": "1"})["details"] == {"id": "1"}


@pytest.mark.usefixtures("clean_store")
def test_many_entries_are_one_insert_and_come_once(count_store_commands: Any) -> None:
    entries = [entry(contact_id=str(ObjectId())) for _ in range(20)]
    with count_store_commands() as commands:
        assert activity.record_all(entries) == 20
    assert commands == ["insert"]
    more = entry(contact_id=str(ObjectId()))
    assert activity.record_all([*entries, more]) == 1
    assert not activity.record(**more)
    assert Activity.objects.count() == 21


def test_what_people_enter_moves_the_stamps_of_contact_and_deals_forward_only(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    mine = {"workspace_id": grace.workspace_id, "title": "Compilers"}
    hers, other = Deal(**mine, contact_ids=[grace.id]).save(), Deal(**mine).save()
    lost = Deal(**mine, contact_ids=[grace.id], status="lost").save()
    for at in (AT, AT - timedelta(days=1)):
        logged = {"activity_id": str(ObjectId()), "kind": "call", "happened_at": at}
        happens(ActivityLogged(**about, **logged, deal_id=str(other.id)), run_jobs)
    assert [each.reload().last_activity_at for each in (grace, hers, other, lost)] == [AT, AT, AT, None]


def test_an_activity_in_the_future_moves_no_stamp_beyond_the_present(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    logged = {"activity_id": str(ObjectId()), "kind": "call", "happened_at": datetime(2999, 1, 1, tzinfo=UTC)}
    record = happens(ActivityLogged(**about, **logged), run_jobs)
    assert grace.reload().last_activity_at == record.accepted_at
