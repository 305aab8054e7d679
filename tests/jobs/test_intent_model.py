"""Random histories of events and decays leave what a reference of ten lines says, after every step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs import intent_score_decay
from models import contact_intent
from models.contact import Contact
from models.decay_day import DecayDay
from models.event import EventRecord
from models.intent import Source
from publishers import intent
from schemas.rules import IntentRules
from tests.jobs.test_intent_score_decay import planned

BEGIN = datetime(2028, 2, 26, 9, 30, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
RULES = IntentRules()
POINTS = RULES.points.model_dump()


class Reference:
    """Day by day, as the rules read."""

    def __init__(self) -> None:
        self.signals: dict[str, tuple[int, datetime, datetime]] = {}  # points, since, last decay

    def add(self, kind: str, at: datetime) -> None:
        points, since, last = self.signals.get(kind, (0, at, at))
        self.signals[kind] = (points + POINTS[kind], since, last)

    def decay(self, kind: str, as_of: datetime) -> None:
        points, since, last = self.signals[kind]
        while as_of - since > DAY and as_of - last >= DAY:
            points, last = max(0, points - 2), last + DAY
            self.signals[kind] = (points, since, last)
        if last > since and points < 10:
            del self.signals[kind]

    @property
    def score(self) -> int:
        return sum(points for points, _, _ in self.signals.values())

    @property
    def level(self) -> str:
        return "high" if self.score >= 70 else "medium" if self.score >= 40 else "low"


HOURS = st.integers(0, 80) | st.sampled_from([24, 48, 72])
EVENT = st.tuples(st.sampled_from(sorted(POINTS)), HOURS, st.integers(1, 3))
DECAY = st.tuples(st.none(), HOURS, st.just(1))


@pytest.mark.usefixtures("stores")
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(EVENT | DECAY, min_size=1, max_size=14))
def test_the_store_agrees_with_the_reference(steps: list[tuple[str | None, int, int]]) -> None:
    for kept in (Contact, DecayDay, EventRecord):
        kept.objects.delete()  # of the example before
    contact, reference, now = Contact.upsert(ObjectId(), "grace@navy.test", {})[0], Reference(), BEGIN
    levels, days = ["low"], dict[str, datetime]()
    for kind, hours, times in steps:
        now += hours * HOUR
        if kind:
            missed = now.replace(hour=2, minute=0) - (DAY if now.hour < 2 else 0 * DAY)
            if kind in reference.signals:
                reference.decay(kind, missed)
            for _ in range(times):
                reference.add(kind, now)
            sources = [Source(ObjectId(), kind, now) for _ in range(times)]  # type: ignore[arg-type]
            for _ in range(2):  # each event is delivered twice
                found = contact_intent.count(contact.workspace_id, {contact.id: sources}, RULES)
                intent.crossed(found)
        else:
            as_of = days.setdefault(f"{now:%Y-%m-%d}", now)
            for each in list(reference.signals):
                reference.decay(each, as_of)
            intent_score_decay.run(now.isoformat())
            for job in planned():
                intent_score_decay.decay(**job)
                intent_score_decay.decay(**job)
        levels += [reference.level] if reference.level != levels[-1] else []
        _agree(contact, reference, levels)


def _agree(contact: Contact, reference: Reference, levels: list[str]) -> None:
    row = Contact._get_collection().find_one({"_id": contact.id})
    signals = row.get("intent", {}).get("signals", {})
    assert {kind: s["points"] for kind, s in signals.items()} == {
        kind: points for kind, (points, _, _) in reference.signals.items()
    }
    assert (row.get("intent_score") or 0) == reference.score
    told = EventRecord.objects(type="intent.threshold_crossed").order_by("position")
    assert ["low", *(record.payload["level"] for record in told)] == levels
