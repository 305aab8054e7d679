"""The lifecycle of a CRM in which 100 contacts are marked, whatever the number of the others."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from bson import ObjectId

from bench.automations_goals import Part, by_what_changed
from bench.goals import Goal
from jobs import lifecycle_progression
from models import contact_lifecycle
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.form_submission import FormSubmission
from models.lifecycle_step import LifecycleStep
from models.once import Once
from queues.names import ANALYTICS

QUEUE = ANALYTICS
SEED = 20_260_201
TICK = datetime(2026, 2, 10, 4, tzinfo=UTC)
AT_ONCE = 2_000  # contacts per insert
CHANGED = 100  # contacts, half of which have a step to take
WORKSPACE = ObjectId("000000000000000000acce01")
Row = dict[str, Any]
CURRENT = ("subscriber", "lead", "lead", "lead", "mql", "sql", "customer")


def seed(contacts: int) -> None:
    """Contacts of all stages with what they did; those that have changed are spread evenly."""
    Once.mark_done(lifecycle_progression.FIRST_TIME)
    made, changed = _contacts(contacts), []
    while some := list(islice(made, AT_ONCE)):
        Contact._get_collection().insert_many([contact for contact, _ in some], ordered=False)
        for kind, name in ((FormSubmission, "forms"), (Activity, "activities"), (Deal, "deals")):
            if rows := [row for _, facts in some for row in facts[name]]:
                kind._get_collection().insert_many(rows, ordered=False)
        changed += [contact["_id"] for contact, facts in some if facts["is_changed"]]
    contact_lifecycle.mark(WORKSPACE, changed)


def run() -> None:
    lifecycle_progression.run(TICK.isoformat())


def bare() -> None:
    """It is not compared with one: what is asked is that it costs what has changed."""


def check(_contacts: int) -> None:
    """Half of the marked ones moved, each with row and event, and nobody is marked. Raises RuntimeError."""
    moved = LifecycleStep.objects.count(), EventRecord.objects.count()
    marked = Contact.objects(__raw__={contact_lifecycle.WORKSPACE: WORKSPACE}).count()
    if moved != (CHANGED // 2, CHANGED // 2) or marked:
        raise RuntimeError(f"{moved} rows and events instead of {CHANGED // 2}; {marked} contacts are marked")


def goals(parts: Sequence[Part]) -> list[Goal]:
    return by_what_changed("lifecycle-progression", parts)


def _contacts(number: int) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Each with what it did. Of those that have changed one half becomes MQL, the other lacks a form."""
    chance = random.Random(SEED)
    every = number // CHANGED
    for each in range(number):
        is_changed = each % every == 0 and each // every < CHANGED
        has_form = each // every < CHANGED // 2 if is_changed else chance.random() < 0.5
        contact = _contact(each, chance)
        if is_changed:
            contact |= {"lifecycle_stage": "lead", "lead_grade": "B", "intent_score": 51}
        has_deal = not is_changed and chance.random() < 0.2
        yield (
            contact,
            {
                "is_changed": is_changed,
                "forms": [_form(contact["_id"], each)] if has_form else [],
                "activities": [_viewed(contact["_id"], each, view) for view in range(2)],
                "deals": [_deal(contact["_id"])] if has_deal else [],
            },
        )


def _contact(number: int, chance: random.Random) -> Row:
    return {
        "_id": ObjectId(),
        "workspace_id": WORKSPACE,
        "email": f"person{number}@company{number % 997}.test",
        "first_name": "Grace",
        "last_name": f"Hopper {number}",
        "company": f"Company {number % 997}",
        "lifecycle_stage": chance.choice(CURRENT),
        "lead_grade": chance.choice("ABCD"),
        "intent_score": chance.randrange(90),
        "tags": ["newsletter", "trade-fair"],
        "custom_fields": {"industry": "logistics", "notes": "x" * 200},
    }


def _form(contact_id: ObjectId, number: int) -> Row:
    return {"workspace_id": WORKSPACE, "form_id": WORKSPACE, "key": str(number), "contact_id": contact_id}


def _viewed(contact_id: ObjectId, number: int, view: int) -> Row:
    return {
        "workspace_id": WORKSPACE,
        "contact_id": contact_id,
        "kind": "page_viewed",
        "title": "Viewed a page",
        "source": f"{number}:{view}",
        "happened_at": TICK,
    }


def _deal(contact_id: ObjectId) -> Row:
    return {"workspace_id": WORKSPACE, "contact_ids": [contact_id], "title": "Deal", "status": "open"}
