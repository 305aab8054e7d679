"""Store commands and Redis round trips, counted: `python -m bench.events_costs <folder> <others>`.

Everything runs in this process: the web app by its test client, each job as a worker performs it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from bson import ObjectId
from flask.testing import FlaskClient
from pymongo import monitoring

import config
from bench.billing import Meter
from bench.events_handling import WORKSPACE, clicked, contacts
from bench.events_tracking import batch
from bench.store_commands import StoreCommands
from models import store
from models.activity import Activity
from models.workspace import Workspace
from publishers import events
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactLifecycleChanged, ContactUpdated
from schemas.event import Event
from schemas.opportunity import OpportunityStageChanged
from services import logs

TRACK = "/api/public/track/event"


commands = StoreCommands()
monitoring.register(commands)  # before the first client is made


def main() -> None:
    logs.configure("json", "CRITICAL")
    from app import create_app  # it makes the client, which takes the listeners that are there by then

    client = create_app().test_client()
    store.ensure_indexes()
    Workspace(id=WORKSPACE, name="Acme").save()
    kinds = {kind.type: kind for kind in (clicked(ObjectId()), updated(), lifecycle(), moved())}
    for fact in kinds.values():
        handle(fact)  # reactions are loaded
    few = {kind: handle(make()) for kind, make in EVENTS.items()}
    requests = {views: send(client, views) for views in (1, 1, 10)}
    add_others(int(sys.argv[2]))
    many = {kind: handle(make()) for kind, make in EVENTS.items()}
    print(json.dumps({**_requests(requests), "few": few, "many": many}))


def _requests(found: dict[int, Counter[str]]) -> dict[str, Any]:
    one, ten = found[1], found[10]
    return {
        "page_view": one["request"],
        "further": round((ten["request"] - one["request"]) / 9, 2),
        "round_trips": ten["round trips"],
        "page_view, handled": one["handling"],
        "further, handled": round((ten["handling"] - one["handling"]) / 9, 2),
    }


def send(client: FlaskClient, views: int) -> Counter[str]:
    """Store commands of a request of so many page views and of its jobs; round trips of the request."""
    meter = Meter(config.settings().redis_location)
    before = commands.sent
    meter.start()
    answer = client.post(TRACK, data=batch(str(WORKSPACE), views), content_type="application/json")
    if answer.status_code != 200:
        raise RuntimeError(f"{TRACK} answered {answer.status_code}: {answer.get_data(as_text=True)}")
    found = Counter({"request": commands.sent - before, "round trips": meter.bill().round_trips})
    found["handling"] = run_jobs()
    return found


def handle(fact: Event) -> int:
    """Store commands of an event, from its publication to its last job."""
    before = commands.sent
    events.publish(fact)
    run_jobs()
    return commands.sent - before


def run_jobs() -> int:
    """Perform what is queued, and what that enqueues; returns the store commands."""
    before = commands.sent
    while waiting := [
        key for key in redis().scan_iter("rq:job:*") if redis().hget(key, "status") == b"queued"
    ]:
        for key in waiting:
            Job.fetch(key.decode().removeprefix("rq:job:"), connection=redis()).perform()
            redis().delete(key)
    return commands.sent - before


def add_others(number: int) -> None:
    """Records that the events are not about."""
    for contact in contacts(number):
        del contact
    entry = {"workspace_id": WORKSPACE, "kind": "call", "title": "Called", "happened_at": store.now()}
    Activity.record_all([{**entry, "contact_id": ObjectId(), "source": f"bench:{n}"} for n in range(number)])


def updated() -> ContactUpdated:
    return ContactUpdated(**_about(), changed=["jobTitle"])


def lifecycle() -> ContactLifecycleChanged:
    return ContactLifecycleChanged(**_about(), stage="mql", occasion=f"bench:{ObjectId()}")


def moved() -> OpportunityStageChanged:
    deal = {"deal_id": str(ObjectId()), "stage": "Offer", "changed_at": store.now()}
    return OpportunityStageChanged(**_about(), **deal)


def _about() -> dict[str, Any]:
    (contact,) = contacts(1)
    return {"workspace_id": str(WORKSPACE), "contact_id": str(contact)}


EVENTS: dict[str, Callable[[], Event]] = {
    "email.clicked": lambda: clicked(contacts(1)[0]),
    "contact.updated": updated,
    "contact.lifecycle_changed": lifecycle,
    "opportunity.stage_changed": moved,
}

if __name__ == "__main__":
    main()
