"""Random histories of what happens to a contact leave what a reference of ten lines says, at every step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consumers import lifecycle as reactions
from models import contact_intent
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.intent import Source
from models.lifecycle_step import LifecycleStep
from models.store import now
from schemas.rules import IntentPoints, IntentRules
from tests.jobs.lifecycles import AT, WORKSPACE, deal, forget_jobs, form, history, progress, row, talk, told

BEGIN = datetime(2028, 2, 28, 2, tzinfo=UTC)
PATH = ("lead", "mql", "sql", "opportunity", "customer")


class Reference:
    """The rules as they read."""

    def __init__(self) -> None:
        self.stage, self.grade, self.score, self.is_free = "lead", "D", 0, True
        self.facts: set[str] = set()
        self.steps: list[tuple[str, str]] = []

    def progress(self) -> None:
        while self.is_free and self.stage in PATH[:-1]:
            is_due = {
                "lead": self.grade in "AB" and self.score > 50 and "form" in self.facts,
                "mql": self.grade == "A" and bool({"call", "meeting"} & self.facts),
                "sql": bool({"deal", "won"} & self.facts),
                "opportunity": "won" in self.facts,
            }
            if not is_due[self.stage]:
                return
            before, self.stage = self.stage, PATH[PATH.index(self.stage) + 1]
            self.steps.append((before, self.stage))


class History:
    """The same, in the CRM: by the writes and reactions that it has for that."""

    def __init__(self) -> None:
        for kind in (Contact, Deal, EventRecord, LifecycleStep):
            kind.objects.delete()  # of the example before
        forget_jobs()
        self.contact = Contact.upsert(WORKSPACE, f"{ObjectId()}@navy.test", {})[0]
        self.tick = BEGIN

    def mark(self) -> None:
        reactions.mark(str(WORKSPACE), str(self.contact.id))

    def happen(self, what: str, value: Any, reference: Reference) -> None:
        match what:
            case "grade":
                reference.grade = value
                self.contact.record_score(50, value, [], 1)
            case "interest":
                reference.score += value
                rules = IntentRules(points=IntentPoints(page_view=value))
                sources = {self.contact.id: [Source(ObjectId(), "page_view", now())]}
                contact_intent.count(WORKSPACE, sources, rules)
            case "fade":
                reference.score = min(reference.score, value)
                self._set(intent_score=reference.score)
            case "form":
                reference.facts.add("form")
                form(self.contact.id)
                self.mark()
            case "talk":
                reference.facts.add(value)
                talk(self.contact.id, value)
                self.mark()
            case "deal":
                reference.facts.add(value)
                closed = {"status": "won", "closed_at": AT} if value == "won" else {"status": "open"}
                reactions.mark_contacts_of(str(WORKSPACE), str(deal(self.contact.id, **closed)))
            case "override":
                reference.is_free = not value
                self._set(manual_override=value)
                self.mark()
            case "stage":
                reference.stage = value
                self._set(lifecycle_stage=value)
                self.mark()
            case "tick":
                self.tick += timedelta(hours=value)
                for _ in range(2):
                    progress(self.tick)
                reference.progress()

    def _set(self, **fields: Any) -> None:
        Contact._get_collection().update_one({"_id": self.contact.id}, {"$set": fields})


HAPPENINGS = st.one_of(
    st.tuples(st.just("grade"), st.sampled_from("ABCD")),
    st.tuples(st.just("interest"), st.sampled_from([1, 20, 50, 51])),
    st.tuples(st.just("fade"), st.sampled_from([0, 50, 51])),
    st.tuples(st.just("form"), st.none()),
    st.tuples(st.just("talk"), st.sampled_from(["call", "meeting", "note"])),
    st.tuples(st.just("deal"), st.sampled_from(["deal", "won"])),
    st.tuples(st.just("override"), st.booleans()),
    st.tuples(st.just("stage"), st.sampled_from(["subscriber", *PATH])),
    st.tuples(st.just("tick"), st.sampled_from([2, 2, 4, 24])),
)


@pytest.mark.usefixtures("stores")
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(HAPPENINGS, min_size=3, max_size=16))
def test_the_store_agrees_with_the_reference(steps: list[tuple[str, Any]]) -> None:
    crm, reference = History(), Reference()
    for what, value in [*steps, ("tick", 2)]:
        crm.happen(what, value, reference)
        assert row(crm.contact.id)["lifecycle_stage"] == reference.stage
        assert history(crm.contact.id) == told(crm.contact.id) == reference.steps
