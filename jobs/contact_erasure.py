"""Erase a contact at the person's request (GDPR, article 17): in every collection, and in the jobs of Redis.

Nothing of it is scheduled: `flask contacts erase` runs it, or whoever enqueues it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import structlog
from bson import ObjectId

import queues.erase
from models import store
from models.contact import Contact
from models.erasure import Erasure
from models.personal import Person
from models.visitor import Visitor
from publishers import events
from queues.enqueue import NewJob, enqueue_each_at, enqueue_in
from queues.names import ANALYTICS
from schemas.contact import ContactDeleted

# Beyond the retries (36 s) and time limits of jobs that ran meanwhile, and may have written once more.
LOOK_AFTER = timedelta(hours=1)
MEANWHILE = timedelta(minutes=10)  # beyond the time limit of a job, and clocks
DELETED = '"type": "contact.deleted"'
OWNER = re.compile(r'"workspace_?id": "([0-9a-f]{24})"')  # in the lower case text of a job

log = structlog.get_logger()


def run(workspace_id: str, contact_id: str, requested_by: str) -> dict[str, int]:
    """Erase the contact; returns how much was removed or made anonymous, by collection, and of `jobs`.

    Safe to run twice, and after it died in the middle: the contact itself goes last, and what is gone is not
    found again. The number of store commands depends on the data only by rounds of 500 documents. Raises
    `RedisError`, `StoreError`; then it is to be run again.
    """
    erasure = Erasure.request(ObjectId(workspace_id), ObjectId(contact_id), requested_by)
    person = _person(erasure)
    for kind in _in_order():
        if kind is Contact:
            erasure.note({"jobs": queues.erase.erase(_about(person)).jobs})
        erasure.note({kind._meta["collection"]: kind.erase(person)})
    erasure.complete()
    events.publish(ContactDeleted(workspace_id=workspace_id, contact_id=contact_id, reason="erased"))
    enqueue_in(_next_look(erasure), LOOK_AFTER)
    log.info("🧽 contact erased", contact_id=contact_id)
    return dict(Erasure.of(erasure.id).counts)


def look_again(contact_id: str) -> int:
    """Remove what jobs that ran during the erasure wrote; returns how much. Safe to run twice.

    After a look that finds something there is another one, for what ran during this one. The last one lets
    go of the person's visitors.
    """
    erasure = Erasure.of(ObjectId(contact_id))
    person = _person(erasure)
    found: Counter[str] = Counter()
    for kind in _in_order():
        found[kind._meta["collection"]] += kind.erase(person)
    found["jobs"] = queues.erase.erase(_about(person)).jobs
    erasure.note(found)
    if not found.total():
        Visitor.forget(erasure.id)
    erasure.looked(found.total())
    if not erasure.checked_at:
        enqueue_in(_next_look(erasure), LOOK_AFTER)
    return found.total()


def recover() -> int:
    """The job after a loss of Redis' data (see `consumers.healing`): enqueue looks that were lost.

    Returns how many. Safe to run at any time: an erasure has one such job.
    """
    due = store.now() + LOOK_AFTER
    return enqueue_each_at([(_next_look(erasure), due) for erasure in Erasure.unchecked()])


def _person(erasure: Erasure) -> Person:
    contact = Contact.objects(id=erasure.id, workspace_id=erasure.workspace_id).first()
    email = contact.email if contact else None
    since = erasure.requested_at - LOOK_AFTER
    until = (erasure.erased_at or store.now()) + MEANWHILE
    return Person(erasure.workspace_id, erasure.id, email, since, until, Visitor.ids_of(erasure.id))


def _in_order() -> list[Any]:
    """The document classes that hold personal data; a crash leaves those by which the rest is found.

    Nobody tracks the visitors from the first moment on. At the end come those that were identified meanwhile.
    """
    kinds = [kind for kind in store.documents() if hasattr(kind, "erase") and kind not in (Visitor, Contact)]
    return [Visitor, *kinds, Visitor, Contact]


def _about(person: Person) -> Callable[[str], bool]:
    """Whether a job's text is about the person, except those that are to tell of the erasure.

    Others may have an address that begins or ends like the person's, and other workspaces may know the same
    person, or use the same ids for their visitors.
    """
    contact_id, workspace_id = str(person.contact_id), str(person.workspace_id)
    hers = re.compile("|".join(_personal(person)) or "(?!)")
    looks = _look_id(contact_id)

    def matches(text: str) -> bool:
        text = text.lower()
        if text.startswith(looks) or DELETED in text:
            return False
        is_elsewhere = workspace_id not in (owners := OWNER.findall(text)) and owners
        return contact_id in text or (not is_elsewhere and bool(hers.search(text)))

    return matches


def _personal(person: Person) -> Iterator[str]:
    """Patterns of what a workspace knows the person by, in the lower case text of a job."""
    if person.email:
        yield rf"(?:(?<![\w.+%-])|(?<=\\[nrt])){re.escape(person.email)}(?![\w-]|\.\w)"
    for visitor_id in person.visitor_ids:
        yield rf'"visitor_?id": {re.escape(json.dumps(visitor_id, ensure_ascii=False).lower())}'


def _next_look(erasure: Erasure) -> NewJob:
    contact_id, looks = str(erasure.id), erasure.looks
    return NewJob(
        queue=ANALYTICS,
        func="jobs.contact_erasure.look_again",
        id=f"{_look_id(contact_id)}-{looks}" if looks else _look_id(contact_id),
        kwargs={"contact_id": contact_id},
        description="another look after an erasure",
    )


def _look_id(contact_id: str) -> str:
    return f"erasure-{contact_id}"
