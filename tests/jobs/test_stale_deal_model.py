"""Random histories of activities, looks and rules leave what a short reference says, after every step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models.business_profile import BusinessProfile
from models.deal import Deal
from models.event import EventRecord
from models.task import Task
from queues.connection import redis
from tests import reactions
from tests.jobs.test_stale_deal_alert import alert, deal, stored, told

BEGIN = datetime(2028, 2, 20, 9, 30, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LEVELS = [None, "stale", "at_risk"]


class Reference:
    """Deal by deal, as the rules read."""

    def __init__(self) -> None:
        self.last, self.level, self.days = BEGIN, 0, (7, 30)
        self.told: list[tuple[str | None, datetime]] = []

    def touch(self, at: datetime) -> None:
        if at > self.last:
            self.last, self.level = at, 0

    def look(self, now: datetime) -> None:
        reached = sum(now - self.last >= days * DAY for days in self.days)
        if reached > self.level:
            self.level = reached
            self.told.append((LEVELS[reached], self.last))


HOURS = st.integers(0, 400) | st.sampled_from([24 * days for days in (1, 2, 7, 23, 30)])
TOUCH = st.tuples(st.just("touch"), HOURS, st.sampled_from([0, 0, 1, 200]))  # learnt of so many hours late
LOOK = st.tuples(st.just("look"), HOURS, st.just(0))
RULES = st.tuples(st.just("rules"), HOURS, st.sampled_from([(7, 30), (2, 3), (10, 40)]))


@pytest.mark.usefixtures("stores")
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(LOOK | TOUCH | LOOK | RULES, min_size=1, max_size=14))
def test_the_store_agrees_with_the_reference(steps: list[tuple[str, int, Any]]) -> None:
    for kept in (Deal, EventRecord, BusinessProfile, Task):
        kept.objects.delete()  # of the example before
    workspace, reference, now = ObjectId(), Reference(), BEGIN
    made = deal(None, workspace, created_at=BEGIN, contact_ids=[ObjectId()])
    for kind, hours, value in steps:
        now += hours * HOUR
        if kind == "touch":
            reference.touch(now - value * HOUR)
            for _ in range(2):  # each event is delivered twice
                reactions.touch(made, now - value * HOUR)
        elif kind == "rules":
            reference.days = value
            rules = {"staleDays": value[0], "atRiskDays": value[1]}
            BusinessProfile.put(workspace, {"stale_deals": rules})
        else:
            reference.look(now)
            redis().flushall()
            alert(now, now)
        _agree(made, reference)


def _agree(made: ObjectId, reference: Reference) -> None:
    row = stored(made)
    level = LEVELS[reference.level]
    assert told() == reference.told
    assert row.get("silence", {}).get("level") == level
    assert row.get("tags", []) == (["at-risk"] if level == "at_risk" else [])
