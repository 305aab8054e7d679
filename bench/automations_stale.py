"""The daily look for stale deals on a CRM in which a hundred became stale since the day before."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

from bench.automations_goals import Part, by_what_changed
from bench.goals import Goal
from jobs import stale_deal_alert
from models.deal import Deal
from models.event import EventRecord
from models.silence import NEVER
from queues.names import ANALYTICS
from schemas.rules import StaleDealRules

JOB = "stale-deal-alert"
QUEUE = ANALYTICS
SEED = 20_260_301
DAY = timedelta(days=1)
TICK = datetime(2026, 3, 10, 9, tzinfo=UTC)
STALE = 100  # deals that became stale since the day before
AT_ONCE = 2_000  # deals per insert
WORKSPACES = [ObjectId() for _ in range(3)]
DAYS = StaleDealRules().model_dump()  # as the deals remember them


def seed(deals: int) -> None:
    """All were looked at on the day before: active, stale, at risk and closed ones, and those to be told."""
    made = _deals(deals)
    while some := list(islice(made, AT_ONCE)):
        Deal._get_collection().insert_many(some, ordered=False)


def run() -> None:
    stale_deal_alert.run(TICK.isoformat())


def bare() -> None:
    """Compared with itself on another size, not with a statement."""


def check(_deals: int) -> None:
    """A hundred deals are stale and told of, and no other. Raises RuntimeError."""
    told = EventRecord.objects(type="deal.stale").count()
    waiting = Deal.objects(status="open", silence__due_at__lte=TICK).count()
    if (told, waiting) != (STALE, 0):
        raise RuntimeError(f"{told} of {STALE} stale deals were told of; {waiting} are still to be looked at")


def goals(parts: Sequence[Part]) -> list[Goal]:
    return by_what_changed(JOB, parts)


def _deals(number: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(SEED)
    for each in range(number):
        stale = each * STALE // number != (each + 1) * STALE // number  # a hundred, all over the CRM
        last, silence, status = _stale(chance) if stale else _other(chance)
        yield {
            "workspace_id": WORKSPACES[each * STALE // number % 3],
            "contact_ids": [ObjectId()],
            "title": f"Compilers {each}",
            "stage": "Offer",
            "status": status,
            "amount": float(chance.randrange(100, 100_000)),
            "currency": "EUR",
            "custom_fields": {"notes": "x" * 200},
            "assigned_to": ObjectId(),
            "created_at": last - 30 * DAY,
            "last_activity_at": last,
            "silence": silence,
        }


def _stale(chance: random.Random) -> tuple[datetime, dict[str, Any], str]:
    last = TICK - 7 * DAY - DAY * chance.random() * 0.99
    return last, {**DAYS, "due_at": last + 7 * DAY}, "open"


def _other(chance: random.Random) -> tuple[datetime, dict[str, Any], str]:
    """Of ten: five active, two stale, one at risk, two closed."""
    match chance.randrange(10):
        case 0 | 1:
            last = TICK - 9 * DAY - 20 * DAY * chance.random()
            return last, {**DAYS, "level": "stale", "since": last, "due_at": last + 30 * DAY}, "open"
        case 2:
            last = TICK - 32 * DAY - 300 * DAY * chance.random()
            return last, {**DAYS, "level": "at_risk", "since": last, "due_at": NEVER}, "open"
        case kind:
            last = TICK - 6 * DAY * chance.random()
            return last, {**DAYS, "due_at": last + 7 * DAY}, "won" if kind < 5 else "open"
