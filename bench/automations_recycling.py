"""The daily look for lost leads on a CRM in which a hundred of them have shown interest."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

from bench.automations_goals import Part, by_what_changed
from bench.goals import Goal
from jobs import lead_recycling
from models.contact import Contact
from models.lead_recycling import LeadRecycling
from queues.names import ANALYTICS

JOB = "lead-recycling"
QUEUE = ANALYTICS
SEED = 20_260_302
DAY = timedelta(days=1)
TICK = datetime(2026, 6, 10, 9, tzinfo=UTC)
DUE = 100  # lost contacts that have shown interest
AT_ONCE = 2_000  # contacts per insert
WORKSPACES = [ObjectId() for _ in range(3)]


def seed(contacts: int) -> None:
    """Of ten contacts two are lost; all were seen at some time; a hundred lost ones lately."""
    made = _contacts(contacts)
    while some := list(islice(made, AT_ONCE)):
        Contact._get_collection().insert_many(some, ordered=False)


def run() -> None:
    lead_recycling.run(TICK.isoformat())


def bare() -> None:
    """Compared with itself on another size, not with a statement."""


def check(_contacts: int) -> None:
    """A hundred contacts are recycled, with all that follows. Raises RuntimeError."""
    recycled, rows = Contact.objects(status="recycled").count(), LeadRecycling.objects.count()
    if (recycled, rows) != (DUE, DUE):
        raise RuntimeError(f"{recycled} of {DUE} contacts were recycled, with {rows} rows")


def goals(parts: Sequence[Part]) -> list[Goal]:
    return by_what_changed(JOB, parts)


def _contacts(number: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(SEED)
    for each in range(number):
        due = each * DUE // number != (each + 1) * DUE // number  # a hundred, all over the CRM
        lost = due or chance.random() < 0.2
        ago = 20 * chance.random() if due else 40 + 100 * chance.random() if lost else 60 * chance.random()
        yield {
            "workspace_id": WORKSPACES[each * DUE // number % 3],
            "email": f"person{each}@company{each % 997}.test",
            "first_name": "Grace",
            "last_name": f"Hopper {each}",
            "company": f"Company {each % 997}",
            "custom_fields": {"notes": "x" * 200},
            "status": chance.choice(["lost", "unqualified"]) if lost else "lead",
            "status_changed_at": TICK - 100 * DAY - 500 * DAY * chance.random(),
            "last_interest_at": TICK - ago * DAY,
            "assigned_to": ObjectId(),
        }
