"""Random histories of losses, interest and mail leave what a short reference says, after every step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models import contact_intent
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.enrolment import Enrolment
from models.event import EventRecord
from models.intent import Source
from models.lead_recycling import LeadRecycling
from models.sequence import Sequence
from models.suppression import Suppression
from models.task import Task
from queues.connection import redis
from schemas.rules import IntentRules
from tests.jobs.test_lead_recycling import WORKSPACE, contact, recycle, sequence

BEGIN = datetime(2028, 1, 20, 9, 30, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EMAIL = "grace@navy.test"


class Reference:
    """One contact, as the rules read."""

    def __init__(self) -> None:
        self.status, self.changed, self.seen = "lead", BEGIN, BEGIN
        self.busy, self.suppressed = False, False
        self.losses: list[datetime] = []

    def look(self, now: datetime) -> None:
        is_lost = self.status in ("lost", "unqualified") and now - self.changed > 90 * DAY
        is_interested = self.seen > self.changed and now - self.seen <= 30 * DAY
        if is_lost and is_interested and not self.busy and not self.suppressed:
            self.losses.append(self.changed)
            self.status, self.changed, self.busy = "recycled", now, True


DAYS = st.integers(0, 50) | st.sampled_from([30, 60, 90, 91])
STATUS = st.tuples(st.just("status"), DAYS, st.sampled_from(["lost", "unqualified", "lost", "lead"]))
SEEN = st.tuples(st.just("seen"), DAYS, st.sampled_from([0, 0, 1, 20]))  # learnt of so many days late
MAIL = st.tuples(st.just("mail"), DAYS, st.sampled_from(["suppress", "lift", "end", "end"]))
LOOK = st.tuples(st.just("look"), DAYS, st.just(0))
# By mere chance a loss is hardly ever followed by what makes it due.
LOSS = st.tuples(
    st.tuples(st.just("status"), st.sampled_from([0, 1]), st.sampled_from(["lost", "unqualified"])),
    st.tuples(st.just("seen"), st.sampled_from([60, 89, 90, 91, 100]), st.sampled_from([0, 1, 20])),
    st.tuples(st.just("look"), st.sampled_from([0, 1, 29, 30, 31]), st.just(0)),
)
ALONE = st.tuples(STATUS | SEEN | LOOK | MAIL)


@pytest.mark.usefixtures("stores")
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(LOSS | ALONE, min_size=1, max_size=10))
def test_the_store_agrees_with_the_reference(parts: list[tuple[tuple[str, int, Any], ...]]) -> None:
    for kept in (
        Contact,
        EventRecord,
        Enrolment,
        LeadRecycling,
        Task,
        Suppression,
        Sequence,
        BusinessProfile,
    ):
        kept.objects.delete()  # of the example before
    sequence()
    reference, now = Reference(), BEGIN
    made = contact(BEGIN, BEGIN, "lead", email=EMAIL)
    for kind, days, value in chain.from_iterable(parts):
        now += days * DAY
        {"status": _status, "seen": _seen, "mail": _mail, "look": _look}[kind](made, reference, value, now)
        _agree(made, reference)


def _status(made: ObjectId, reference: Reference, value: str, now: datetime) -> None:
    if value != reference.status:  # as its writers do, at this moment
        reference.status, reference.changed = value, now
        change = {"status": value, "status_changed_at": now}
        Contact._get_collection().update_one({"_id": made}, {"$set": change})


def _seen(made: ObjectId, reference: Reference, late: int, now: datetime) -> None:
    at = now - late * DAY
    reference.seen = max(reference.seen, at)
    contact_intent.count(WORKSPACE, {made: [Source(ObjectId(), "page_view", at)]}, IntentRules())


def _mail(_made: ObjectId, reference: Reference, value: str, now: datetime) -> None:
    if value == "suppress":
        reference.suppressed = True
        Suppression.objects.delete()  # what was lifted at the clock of this machine stays so at `now`
        Suppression.add(WORKSPACE, [EMAIL], "unsubscribed", now)
    elif value == "lift":
        reference.suppressed = False
        Suppression.lift(WORKSPACE, EMAIL)
    else:
        reference.busy = False
        Enrolment.objects.update(set__status="completed")


def _look(_made: ObjectId, reference: Reference, _value: int, now: datetime) -> None:
    reference.look(now)
    redis().flushall()
    recycle(now, now)


def _agree(made: ObjectId, reference: Reference) -> None:
    assert Contact.objects.get(id=made).status == reference.status
    assert sorted(LeadRecycling.objects.scalar("lost_at")) == reference.losses
    number = len(reference.losses)
    assert Task.objects.count() == Enrolment.objects.count() == number
    assert EventRecord.objects(type="contact.recycled").count() == number
