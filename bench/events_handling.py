"""Publish to effect: `python -m bench.events_handling <folder> <rounds> <alone> <burst>`.

The event is a followed link: its reactions change the contact's score, move its last-activity stamp, and hand
a timeline entry to another queue. It took effect when the ledger says so, to the millisecond.
"""

from __future__ import annotations

import random
import time
from typing import Any

from bson import ObjectId

import config
from bench import latency_starts, processes, watched
from bench.latency_starts import PAUSE, SEED
from bench.watched import SECONDS, Watched
from models import store
from models.activity import Activity
from models.contact import Contact
from models.event import DONE, EventRecord
from publishers import events
from schemas.email import EmailClicked

WORKSPACE = ObjectId()
WARM = 20  # events that are not measured
UNDISTURBED = 0.06  # seconds without a question to the store, which answers one after the other


def handling(worker: Watched, rounds: int, alone: int, burst: int) -> dict[str, Any]:
    """Per round samples in ms, and events per second."""
    random.seed(SEED)
    store.connect(config.settings().mongodb_uri.get_secret_value())
    store.ensure_indexes()
    for _ in range(WARM):
        one_effect()
    return {"rounds": [_round(worker, alone, burst) for _ in range(rounds)]}


def _round(worker: Watched, alone: int, burst: int) -> dict[str, Any]:
    found: dict[str, Any] = {"bare": [], "insert": [], "update": [], "effect": []}
    for _ in range(alone):  # in turns: a busy machine disturbs all alike
        found["bare"].append(latency_starts.one_by_one(worker))
        (contact,), ms = one_insert()
        found["insert"].append(ms)
        found["update"].append(one_update(contact))
        found["effect"].append(one_effect())
    return {**found, "events_per_second": rate(burst)}


def one_insert() -> tuple[list[ObjectId], float]:
    """Ms of the cheapest thing that the store keeps: what there is beneath each of our commands."""
    before = time.perf_counter()
    ids = contacts(1)
    return ids, (time.perf_counter() - before) * 1_000


def one_update(contact: ObjectId) -> float:
    """Ms of the cheapest effect that an event can have."""
    before = time.perf_counter()
    Contact._get_collection().update_one({"_id": contact}, {"$set": {"last_activity_at": store.now()}})
    return (time.perf_counter() - before) * 1_000


def one_effect() -> float:
    """An event for an idle worker: ms until all its reactions took effect."""
    (contact,) = contacts(1)
    before = time.time()
    event_id = ObjectId(events.publish(clicked(contact)))
    processes.pause(UNDISTURBED)
    wait_for([event_id], entries=1)
    processes.pause(PAUSE * random.uniform(1, 2))
    done_at = EventRecord.objects(id=event_id).scalar("done_at").get()
    return max(0.0, float(done_at.timestamp() - before) * 1_000)


def rate(number: int) -> float:
    """Events per second, from their publication until the last timeline entry is written."""
    facts = [clicked(contact) for contact in contacts(number)]
    started = time.monotonic()
    ids = [ObjectId(event_id) for event_id in events.publish_all(facts)]
    wait_for(ids, entries=number)
    return number / (time.monotonic() - started)


def wait_for(ids: list[ObjectId], entries: int) -> None:
    """Until they are done and so many entries stand in the timelines, which are forgotten then."""

    def are_done() -> bool:
        # The entries come last, and asking for their number costs the store next to nothing.
        if Activity._get_collection().estimated_document_count() < entries:
            return False
        done = {"_id": {"$in": ids}, "status": DONE}
        return bool(EventRecord._get_collection().count_documents(done) == len(ids))

    processes.wait_until(are_done, f"the effects of {len(ids)} events", SECONDS)
    Activity.objects.delete()


def contacts(number: int) -> list[ObjectId]:
    ids = [ObjectId() for _ in range(number)]
    rows = [{"_id": one, "workspace_id": WORKSPACE, "email": f"{one}@navy.test"} for one in ids]
    Contact._get_collection().insert_many(rows)
    return ids


def clicked(contact: ObjectId) -> EmailClicked:
    return EmailClicked(
        workspace_id=str(WORKSPACE),
        contact_id=str(contact),
        hit_id=str(ObjectId()),
        attempt_id=str(ObjectId()),
        url="https://acme.test/pricing",
        clicked_at=store.now(),
    )


if __name__ == "__main__":
    watched.main(handling)
