"""The daily decay of all signals of a CRM, and the bare statement beside it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

from bench.automations_goals import Part, memory, named
from bench.goals import Goal, at_most
from jobs import intent_score_decay
from models.contact import Contact
from models.intent import DAY
from queues.names import ANALYTICS

BARE = 3  # times the bare statement
PER_RANGE = 9  # store commands: rules, update, crossings; per 250 that cross: events, published
PLANNER = 4  # store commands of the tick's job, and one per 2,000 contacts to read on
READ_AT_ONCE = 2_000

QUEUE = ANALYTICS
SEED = 20_260_201
TICK = datetime(2026, 2, 10, 2, tzinfo=UTC)
AT_ONCE = 2_000  # contacts per insert
SAMPLE = 200  # contacts that are looked at
WORKSPACES = [ObjectId() for _ in range(3)]  # of a half, a third and a sixth of the contacts
# Every contact looked at pages; some did more. Points of one event, and events at most.
KINDS = {"email_open": (3, 8), "link_click": (10, 4), "form_submission": (20, 2)}


def seed(contacts: int) -> None:
    """Contacts with one to four signals, which decayed last on the day before the tick."""
    made = _contacts(contacts)
    while some := list(islice(made, AT_ONCE)):
        Contact._get_collection().insert_many(some, ordered=False)


def run() -> None:
    intent_score_decay.run(TICK.isoformat())


def bare() -> None:
    """A change of the same size to each contact, by plain operators, without any rule."""
    Contact._get_collection().update_many(
        {},
        {
            "$inc": {"intent_score": -2, "intent.version": 1, "intent.signals.page_view.points": -2},
            "$set": {"intent.signals.page_view.decayed_at": TICK, "intent.due_at": TICK + DAY},
        },
    )


def check(contacts: int) -> None:
    """Every contact has decayed, and its score is the sum of its signals. Raises RuntimeError."""
    rows = Contact._get_collection()
    decayed = rows.count_documents({"intent.version": 2})
    sample = rows.find({}, {"intent": 1, "intent_score": 1}).limit(SAMPLE)
    wrong = [row for row in sample if row["intent_score"] != _score(row["intent"]["signals"])]
    if decayed != contacts or wrong:
        raise RuntimeError(f"{decayed} of {contacts} contacts decayed; {len(wrong)} scores are wrong")


def goals(parts: Sequence[Part]) -> list[Goal]:
    found = memory("intent-score-decay", parts)
    for part in parts:
        name = named("intent-score-decay", part)
        in_ranges = part["commands"] - PLANNER - part["contacts"] // READ_AT_ONCE
        found += [
            at_most(f"{name}: times the bare statement", part["seconds"] / part["bare_seconds"], BARE),
            at_most(f"{name}: store commands per range", in_ranges / part["ranges"], PER_RANGE),
        ]
    return found


def _contacts(number: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(SEED)
    for each in range(number):
        workspace = chance.choice([0, 0, 0, 1, 1, 2])
        decayed_at = TICK - DAY - timedelta(milliseconds=chance.randrange(1, 86_400_000))
        signals = {"page_view": _signal(5 * chance.randint(3, 20), decayed_at)}
        for kind, (points, most) in KINDS.items():
            if chance.random() < 0.3:
                signals[kind] = _signal(10 + points * chance.randint(1, most), decayed_at)
        yield {
            "workspace_id": WORKSPACES[workspace],
            "email": f"person{each}@company{each % 997}.test",
            "first_name": "Grace",
            "last_name": f"Hopper {each}",
            "company": f"Company {each % 997}",
            "job_title": "Head of Purchasing",
            "phone": "+12025550100",
            "status": "lead",
            "lifecycle_stage": "lead",
            "tags": ["newsletter", "trade-fair"],
            "custom_fields": {"industry": "logistics", "notes": "x" * 200},
            "intent_score": _score(signals),
            "intent": {
                "version": 1,
                "signals": signals,
                "due_at": decayed_at + DAY,
                "sources": [ObjectId() for _ in range(12)],
            },
        }


def _signal(points: int, decayed_at: datetime) -> dict[str, Any]:
    return {"points": points, "since": decayed_at - 5 * DAY, "decayed_at": decayed_at}


def _score(signals: dict[str, Any]) -> int:
    return sum(signal["points"] for signal in signals.values())
