"""A small world in which every event of the catalogue happens, and all that came of it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bson import ObjectId

from models import store
from models.activity import Activity
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.enrolment import Enrolment
from models.event import EventRecord
from models.notification import Notification
from models.sequence import Sequence
from models.suppression import Suppression
from models.task import Task
from models.trigger_run import TriggerRun
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Member, Workspace
from publishers import events
from schemas.event import Event, decode
from schemas.visitor import VisitorIdentified
from tests.automations import automation
from tests.schemas.test_event import FIXTURES

POINTS = {"email.opened": 3, "email.clicked": 10, "form.submitted": 20, "demo.requested": 50}
VIEW_POINTS = 5
MOMENTS = ("openedAt", "clickedAt", "viewedAt")
ORDERED = ("low", "medium", "high")
# Which levels a score passes on its way depends on the order of what is counted; see `crossings`.
CROSSING = {"intent_threshold_crossed", "intent.threshold_crossed", "intent_high"}


class World:
    """Its ids come from a seed, so that the same can happen in two worlds."""

    def __init__(self, seed: int):
        self.chance = random.Random(seed)
        ada = Member(user_id=self._id(), name="Ada", email="ada@acme.test")
        self.workspace = Workspace(id=self._id(), name="Acme", members=[ada]).save()
        self.people = [self._contact(name, ada.user_id) for name in ("grace", "joan", "betty")]
        self.visitor_owner = self.people[0]
        self.only = {kind: self._contact(kind) for kind in ("contact.created", "contact.deleted")}
        self.deals = [self._deal(person, ada.user_id) for person in self.people]
        # Nobody touches or closes it, or it would depend on who comes first what its silence brings about.
        self.quiet_deal = self._deal(self.only["contact.created"], ada.user_id)
        self.tasks = [self._task(person, ada.user_id) for person in [*self.people, *self.only.values()]]
        notify = {"type": "notify", "message": "Show it"}
        automation(self.workspace, event_type="demo.requested", actions=[notify], name="demo")
        self.views = 0

    def _id(self) -> ObjectId:
        return ObjectId(self.chance.randbytes(12))

    def _contact(self, name: str, owner: ObjectId | None = None) -> Contact:
        contact = Contact(
            id=self._id(), workspace_id=self.workspace.id, email=f"{name}@navy.test", assigned_to=owner
        ).save(force_insert=True)
        sequence = Sequence(id=self._id(), workspace_id=self.workspace.id, name="Welcome").save()
        Enrolment.enrol_once(
            workspace_id=self.workspace.id,
            sequence_id=sequence.id,
            version=1,
            contact_id=contact.id,
            key=f"test:{name}",
        )
        return contact

    def _deal(self, person: Contact, owner: ObjectId) -> Deal:
        ids = {"id": self._id(), "workspace_id": self.workspace.id, "assigned_to": owner}
        return Deal(**ids, contact_ids=[person.id], title="Compilers").save()

    def _task(self, person: Contact, owner: ObjectId) -> Task:
        mine = {"workspace_id": self.workspace.id, "contact_id": person.id, "assigned_to": owner}
        return Task.create_once(**mine, title=f"Call {person.email}", key=f"test:{person.id}")

    def happenings(self, number: int) -> list[Event]:
        """Each type of the catalogue once, then some at random that show interest; in random order."""
        kinds = [json.loads(path.read_text()) for path in FIXTURES]
        counted = [each for each in kinds if each["type"] in {*POINTS, "visits.tracked"}]
        chosen = [*kinds, *self.chance.choices(counted, k=number)]
        self.chance.shuffle(chosen)
        return [self._event(each["type"], each["version"], each["payload"]) for each in chosen]

    def _event(self, kind: str, version: int, golden: dict[str, Any]) -> Event:
        payload = {name: self._value(kind, name, value) for name, value in golden.items()}
        return decode(kind, version, payload)

    def _value(self, kind: str, name: str, value: Any) -> Any:
        match name:
            case "workspaceId":
                return str(self.workspace.id)
            case "contactId":
                return str(self.only.get(kind, self.chance.choice(self.people)).id)
            case "dealId" if kind == "deal.stale":
                return str(self.quiet_deal.id)
            case "dealId":
                return str(self.chance.choice(self.deals).id)
            case "taskId":
                return str(self.chance.choice(self.tasks).id)
            case "visits":
                return [self._visit(value[0]) for _ in range(self.chance.randint(1, 4))]
            case "occasion":
                return f"test:{self._id()}"
            case _ if name in MOMENTS:
                return store.now().isoformat()
            case _ if name.endswith("Id"):
                return str(self._id())
        return value

    def _visit(self, golden: dict[str, Any]) -> dict[str, Any]:
        self.views += 1
        url = f"https://acme.test/{self.views}"
        return {**golden, "visitorId": "visitor", "url": url, "happenedAt": store.now().isoformat()}

    def identify(self) -> None:
        """The visitor turns out to be a contact: what web/public/visitors.py does."""
        workspace_id, contact_id = self.workspace.id, self.visitor_owner.id
        Visitor.identify(workspace_id, "visitor", contact_id)
        VisitorEvent.link_visitor(workspace_id, "visitor", contact_id)
        ids = {"workspace_id": str(workspace_id), "contact_id": str(contact_id)}
        events.publish(VisitorIdentified(**ids, visitor_id="visitor"))

    def scores(self, happened: list[Event]) -> dict[str, int]:
        """What each contact's score must be, by its id."""
        found: Counter[str] = Counter({str(self.visitor_owner.id): VIEW_POINTS * self.views})
        for key, event in {event.key or str(place): event for place, event in enumerate(happened)}.items():
            is_counted = event.type in POINTS and key and not getattr(event, "is_machine", False)
            if is_counted and (contact_id := getattr(event, "contact_id", None)):
                found[contact_id] += POINTS[event.type]
            if event.type == "page.viewed" and (contact_id := getattr(event, "contact_id", None)):
                found[contact_id] += VIEW_POINTS
        return {str(person.id): found[str(person.id)] for person in self.people}


def effects() -> dict[str, Counter[Any]]:
    """All that came of what happened, without ids and times that differ from run to run."""
    return {
        "timeline": Counter((a.kind, a.title, a.contact_id, a.deal_id) for a in Activity.objects),
        "notices": Counter((n.kind, n.message, n.user_id, n.contact_id) for n in Notification.objects),
        "tasks": Counter((t.title, t.assigned_to, t.status) for t in Task.objects),
        "enrolments": Counter((e.contact_id, e.status, bool(e.paused_at)) for e in Enrolment.objects),
        "companies": Counter((c.id, c.name) for c in Company.objects),
        "suppressions": Counter((s.id, s.reason) for s in Suppression.objects),
        "ledger": Counter((r.type, r.status) for r in EventRecord.objects),
        "runs": Counter((run.status, tuple(step.status for step in run.steps)) for run in TriggerRun.objects),
        "visits": Counter((v.url, v.contact_id) for v in VisitorEvent.objects),
        "contacts": Counter(map(_contact, Contact.objects)),
        "deals": Counter(map(_deal, Deal.objects)),
    }


def _contact(contact: Contact) -> tuple[Any, ...]:
    signals = contact.intent.signals if contact.intent else {}
    points = tuple(sorted((kind, signal.points) for kind, signal in signals.items()))
    known = (contact.id, contact.assigned_to, contact.lead_score, contact.lead_grade)
    return (*known, contact.intent_score, points, contact.last_activity_at is not None)


def _deal(deal: Deal) -> tuple[Any, ...]:
    """Only open deals are stamped: of one that was closed it depends on which record's event came first."""
    return deal.id, deal.status, deal.status != "open" or deal.last_activity_at is not None


def difference(found: dict[str, Counter[Any]], expected: dict[str, Counter[Any]]) -> dict[str, Any]:
    """What is too much, and what is missing; levels that were told are left to `crossings`."""
    pairs = {name: (counts - expected[name], expected[name] - counts) for name, counts in found.items()}
    shown = {name: tuple(map(_without_crossings, pair)) for name, pair in pairs.items()}
    return {name: pair for name, pair in shown.items() if any(pair)}


def _without_crossings(counts: Counter[Any]) -> dict[Any, int]:
    return {one: count for one, count in counts.items() if one[0] not in CROSSING}


def crossings(contact: Contact) -> Iterator[str]:
    """What is wrong with the levels that were told of a contact: nothing, when they lead to its score."""
    stated = [r.payload for r in EventRecord.objects(type="intent.threshold_crossed").order_by("position")]
    mine = [payload for payload in stated if payload["contactId"] == str(contact.id)]
    told = [payload for payload in mine if payload["occasion"].startswith("event:")]  # not by the test
    before = ["low", *(payload["level"] for payload in told)]
    if [payload["previousLevel"] for payload in told] != before[:-1]:
        yield f"{contact.email}: levels do not follow from each other: {told}"
    score = contact.intent_score or 0
    if before[-1] != ORDERED[(score >= 40) + (score >= 70)]:
        yield f"{contact.email}: {score} points, and {before[-1]} was told last"
    if Activity.objects(kind="intent_threshold_crossed", contact_id=contact.id).count() != len(mine):
        yield f"{contact.email}: not every level is in the timeline once"
    high = sum(payload["level"] == "high" for payload in mine)
    if Notification.objects(kind="intent_high", contact_id=contact.id).count() != high:
        yield f"{contact.email}: the owner was not told of each high level once"
