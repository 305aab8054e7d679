"""No event of one workspace reaches another: whatever it names there, nothing changes and nothing is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from models import store
from models.activity import Activity
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.enrolment import Enrolment
from models.event import EventRecord
from models.form import Form
from models.notification import Notification
from models.sequence import Sequence
from models.silence import Silence
from models.task import Task
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Member, WelcomeEmail, Workspace
from publishers import events
from queues.connection import redis
from schemas.event import Event, decode
from tests.automations import automation
from tests.schemas.test_event import FIXTURES

SECRET = "Xanadu"  # in every text of the other workspace
GOLDEN = [json.loads(path.read_text()) for path in FIXTURES]

RunJobs = Callable[[], int]


def workspace(name: str) -> Workspace:
    welcome = WelcomeEmail(account_id=ObjectId(), subject=f"Hello from {name}", body=name)
    ada = Member(user_id=ObjectId(), name=f"Ada {name}", email="ada@acme.test")
    return Workspace(name=name, members=[ada], welcome_email=welcome).save()


class Theirs:
    """A workspace in which there is one of each."""

    def __init__(self) -> None:
        self.workspace = workspace(SECRET)
        mine, ada = {"workspace_id": self.workspace.id}, self.workspace.members[0].user_id
        moment = store.now() - timedelta(days=40)
        self.contact = Contact(
            **mine, email=f"grace@{SECRET.lower()}.test", first_name=SECRET, company=SECRET, source="form"
        ).save()
        self.owned = Contact(**mine, email=f"o@{SECRET.lower()}.test", assigned_to=ada).save()
        about = {**mine, "contact_id": self.contact.id}
        alerted = Silence(level="at_risk", since=moment, due_at=moment)
        self.deal = Deal(
            **mine, contact_ids=[self.contact.id], title=SECRET, tags=["at-risk"], silence=alerted
        ).save()
        self.task = Task.create_once(**about, assigned_to=ada, title=SECRET, key="theirs")
        self.sequence = Sequence(**mine, name=SECRET).save()
        Enrolment.enrol_once(**about, sequence_id=self.sequence.id, version=1, key="theirs")
        self.form = Form(**mine, name=SECRET).save()
        self.company = Company(id=ObjectId(), **mine, name=SECRET).save()
        Activity.record(**about, kind="note", title=SECRET, source="theirs", happened_at=moment)
        Visitor.identify(self.workspace.id, "visitor", self.contact.id)
        self.visit = VisitorEvent(
            **about,
            visitor_id="visitor",
            session_id="s",
            event_type="page_view",
            event_name="page",
            url=f"https://{SECRET.lower()}.test",
            happened_at=moment,
        ).save()

    def ids(self, contact: Contact) -> dict[str, ObjectId]:
        """What an event may name, by the names of its fields."""
        return {
            "contactId": contact.id,
            "dealId": self.deal.id,
            "taskId": self.task.id,
            "formId": self.form.id,
            "sequenceId": self.sequence.id,
            "companyId": self.company.id,
            "visitId": self.visit.id,
            "assignedTo": self.workspace.members[0].user_id,
        }


def everything(owner: Workspace) -> dict[str, Any]:
    """All that is stored of a workspace."""
    found = {}
    for kind in store.documents():
        query: dict[str, Any] = {"workspace_id": owner.id}
        if kind is Workspace:
            query = {"_id": owner.id}
        elif kind is Visitor:
            query = {"_id": {"$regex": f"^{owner.id}:"}}
        found[kind.__name__] = sorted(map(str, kind._get_collection().find(query)))
    return found


def naming(golden: dict[str, Any], ours: Workspace, theirs: Theirs, contact: Contact) -> Event:
    """The golden event as one of our workspace, naming what is theirs wherever it names something."""
    ids = {name: str(known) for name, known in theirs.ids(contact).items()}
    known = {"workspaceId": str(ours.id), "isMachine": False, "visitorId": "visitor", **ids}
    # A level that rises to high is told to the owner, an automatic reply pauses, a bounce is permanent.
    chosen = {"kind": "auto-reply", "level": "high", "previousLevel": "low", "isPermanent": True}
    if golden["type"] == "deal.stale":
        chosen["level"] = "at_risk"
    if golden["type"] == "activity.logged":
        chosen["kind"] = "call"
    payload = {name: (known | chosen).get(name, value) for name, value in golden["payload"].items()}
    return decode(golden["type"], golden["version"], payload)


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden['type']}.v{golden['version']}")
@pytest.mark.parametrize("named", ["contact", "owned"])
def test_an_event_that_names_anothers_records_leaves_them_alone(
    run_jobs: RunJobs, golden: dict[str, Any], named: str
) -> None:
    ours, theirs = workspace("Ours"), Theirs()
    notify = {"type": "notify", "message": "{{event.type}} {{contact.firstName|}} {{deal.title|}}"}
    update = {"type": "update_contact", "addTags": ["ours"]}
    automation(ours, event_type=golden["type"], actions=[notify], name="notify")
    if "contactId" in golden["payload"]:
        automation(ours, event_type=golden["type"], actions=[update], name="update")
    before = everything(theirs.workspace)

    fact = naming(golden, ours, theirs, getattr(theirs, named))
    event_id = events.publish(fact)
    run_jobs()

    assert EventRecord.objects.get(id=event_id).status == "done"
    assert everything(theirs.workspace) == before
    assert SECRET.lower() not in str(everything(ours)).lower()
    assert not list(redis().scan_iter("rq:job:welcome-*"))  # to whom would it write?


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden['type']}.v{golden['version']}")
def test_the_same_event_of_the_right_workspace_is_no_repetition(golden: dict[str, Any]) -> None:
    ours, theirs = workspace("Ours"), Theirs()
    fact = naming(golden, ours, theirs, theirs.contact)
    mine = fact.model_copy(update={"workspace_id": str(theirs.workspace.id)})
    first, second = events.publish_all([fact, mine])
    assert first != second
    subjects = [fact.subject, mine.subject]
    assert subjects[0] != subjects[1] or subjects == [None, None]


@pytest.mark.usefixtures("stores")
def test_a_demo_request_of_one_workspace_takes_no_other_ones_task(run_jobs: RunJobs) -> None:
    golden = next(each for each in GOLDEN if each["type"] == "demo.requested")
    ours, theirs = workspace("Ours"), Theirs()
    hopper = Contact(workspace_id=ours.id, email="hopper@acme.test").save()
    for owner, contact in ((ours, hopper), (theirs.workspace, theirs.contact)):
        about = {"workspaceId": str(owner.id), "contactId": str(contact.id)}
        events.publish(decode("demo.requested", 1, golden["payload"] | about))
    run_jobs()
    shown = Task.objects(title__startswith="Show ")
    assert {task.workspace_id for task in shown} == {ours.id, theirs.workspace.id}
    assert Notification.objects(workspace_id=ours.id, message__contains=SECRET).count() == 0


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("kind", ["task.created", "task.overdue", "contact.owner_assigned"])
def test_nobody_of_another_workspace_is_told_of_what_is_ours(run_jobs: RunJobs, kind: str) -> None:
    golden = next(each for each in GOLDEN if each["type"] == kind)
    ours, theirs = workspace("Ours"), Theirs()
    contact = Contact(workspace_id=ours.id, email="hopper@acme.test").save()
    task = Task.create_once(
        workspace_id=ours.id, contact_id=contact.id, assigned_to=None, title="Call", key="ours"
    )
    about = {"workspaceId": str(ours.id), "contactId": str(contact.id), "taskId": str(task.id)}
    for member in (theirs.workspace.members[0].user_id, ours.members[0].user_id):
        named = {"ownerId": str(member), "assignedTo": str(member), "occasion": str(member)} | about
        payload = {name: named.get(name, value) for name, value in golden["payload"].items()}
        events.publish(decode(kind, golden["version"], payload), key=f"test:{member}")
    run_jobs()
    assert [notice.user_id for notice in Notification.objects] == [ours.members[0].user_id]
