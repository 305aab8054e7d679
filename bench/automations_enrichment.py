"""The daily contact sync on a CRM of which a hundred contacts are due, half of them known to the stand-in."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

import config
from bench.automations_goals import Part, as_many_commands, memory
from bench.goals import Goal
from jobs import contact_sync
from models import contact_enrichment, store
from models.contact import Contact
from models.event import EventRecord
from queues.names import INTEGRATIONS
from sandbox.apollo import KEY, ApolloServer

JOB = "contact-sync"
QUEUE = INTEGRATIONS
SEED = 20_260_401
DAY = timedelta(days=1)
DUE = 100  # contacts that nobody has asked for yet
AT_ONCE = 2_000  # contacts per insert
WORKSPACES = [ObjectId(f"{number:024x}") for number in (1, 2, 3)]


def seed(contacts: int) -> None:
    """All but a hundred were asked for within the last days."""
    made = _contacts(contacts)
    while some := list(islice(made, AT_ONCE)):
        Contact._get_collection().insert_many(some, ordered=False)


def run() -> None:
    """The stand-in lives as long as the process, for the jobs that are enqueued."""
    apollo = ApolloServer().__enter__()
    for number in range(0, DUE, 2):
        apollo.add(_email(number), title="Director", organization={"name": "US Navy"})
    os.environ |= {"APOLLO_URL": apollo.url, "APOLLO_API_KEY": KEY}
    config.settings.cache_clear()
    contact_sync.run(store.now().isoformat())


def bare() -> None:
    """Compared with itself on another size, not with a statement."""


def check(_contacts: int) -> None:
    """Nobody is due any more, and half of the hundred were changed and told of. Raises RuntimeError."""
    told = EventRecord.objects(type="contact.updated").count()
    due = len(list(contact_enrichment.due(store.now() - contact_sync.FRESH)))
    if (told, due) != (DUE // 2, 0):
        raise RuntimeError(f"{told} of {DUE // 2} changes were told of; {due} contacts are still due")


def goals(parts: Sequence[Part]) -> list[Goal]:
    """No goal of time: the embedded store reads every entry of the planner's index, not only what is due."""
    return [*memory(JOB, parts), *as_many_commands(JOB, parts)]


def _contacts(number: int) -> Iterator[dict[str, Any]]:
    chance, now = random.Random(SEED), store.now()
    for each in range(number):
        place = each * DUE // number
        is_due = place != (each + 1) * DUE // number  # a hundred, all over the CRM
        contact = {
            "workspace_id": WORKSPACES[place % len(WORKSPACES)],
            "email": _email(place) if is_due else f"person{each}@company.test",
            "first_name": "Grace",
            "custom_fields": {"notes": "x" * 200},
        }
        yield contact if is_due else contact | {"enriched_at": _lately(now, chance)}


def _email(place: int) -> str:
    return f"due{place}@navy.test"


def _lately(now: datetime, chance: random.Random) -> datetime:
    return now - 29 * DAY * chance.random()
