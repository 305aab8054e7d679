"""What happens when a contact is created or updated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from bson import ObjectId

from consumers import contact as reactions
from consumers.registry import Delivery
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.workspace import Member, WelcomeEmail, Workspace
from publishers import events
from queues.connection import redis
from queues.job import Job
from schemas.contact import ContactCreated, ContactUpdated

pytestmark = pytest.mark.usefixtures("stores")

Source = Literal["manual", "import", "form", "api"]
ACCEPTED = datetime(2026, 2, 4, 9, 30, tzinfo=UTC)
DELIVERY = Delivery(str(ObjectId()), "correlation-1", ACCEPTED)


def member(name: str, is_active: bool = True) -> Member:
    return Member(name=name, email=f"{name.lower()}@acme.test", is_active=is_active)


@pytest.fixture
def workspace() -> Workspace:
    people = [member("Ada"), member("Bob", is_active=False), member("Cleo"), member("Dan")]
    return Workspace(name="Acme", members=people).save()


def new_contact(workspace: Workspace, number: int = 0, **fields: Any) -> Contact:
    contact, _ = Contact.upsert(workspace.id, f"person{number}@navy.test", fields)
    return contact


def created(contact: Contact, source: Source = "form") -> ContactCreated:
    return ContactCreated(workspace_id=str(contact.workspace_id), contact_id=str(contact.id), source=source)


@pytest.mark.parametrize(
    ("fields", "score", "grade"),
    [
        ({}, 20, "D"),
        ({"source": "form"}, 35, "C"),
        ({"source": "form", "first_name": "Grace", "last_name": "Hopper"}, 45, "C"),
        ({"company": "Navy", "job_title": "Director", "source": "api"}, 60, "B"),
        ({"company": "Navy", "job_title": "Chief Officer", "phone": "+1 202 555 0100"}, 70, "A"),
    ],
)
def test_a_new_contact_is_scored_by_what_is_known(
    workspace: Workspace, fields: dict[str, str], score: int, grade: str
) -> None:
    contact = new_contact(workspace, **fields)
    reactions.score_lead(created(contact), DELIVERY)

    contact.reload()
    assert (contact.lead_score, contact.lead_grade) == (score, grade)
    assert sum(int(reason.split()[0]) for reason in contact.lead_score_reasons) == score


def test_an_updated_contact_is_scored_again(run_jobs: Callable[[], int], workspace: Workspace) -> None:
    contact = new_contact(workspace)
    events.publish(created(contact))
    run_jobs()
    assert contact.reload().lead_grade == "D"

    Contact.upsert(workspace.id, contact.email, {"company": "Navy", "job_title": "CEO"})
    events.publish(
        ContactUpdated(
            workspace_id=str(workspace.id), contact_id=str(contact.id), changed=["company", "jobTitle"]
        )
    )
    run_jobs()
    assert (contact.reload().lead_score, contact.lead_grade) == (60, "B")
    told = EventRecord.objects(type="contact.score_changed").order_by("position")
    grades = [(record.payload.get("previousGrade"), record.payload["grade"]) for record in told]
    assert grades == [(None, "D"), ("D", "B")]


def test_a_new_grade_is_told_once_though_the_worker_died_before_it_was_stored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = new_contact(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(Contact, "record_score", _die)
        with pytest.raises(ConnectionError):
            reactions.score_lead(created(contact), DELIVERY)
    for _ in range(2):
        reactions.score_lead(created(contact), DELIVERY)
    assert EventRecord.objects(type="contact.score_changed").count() == 1
    assert contact.reload().lead_grade == "D"


def test_a_new_owner_is_told_once_though_the_worker_died_before_it_was(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = new_contact(workspace)
    with monkeypatch.context() as patch:
        patch.setattr("publishers.contacts.owner_assigned", _die)
        with pytest.raises(ConnectionError):
            reactions.assign_owner(created(contact), DELIVERY)
    for _ in range(2):
        reactions.assign_owner(created(contact), DELIVERY)
    told = EventRecord.objects.get(type="contact.owner_assigned")
    assert told.payload["ownerId"] == str(contact.reload().assigned_to)
    assert workspace.reload().owner_turn == 1


def _die(*_: Any, **__: Any) -> None:
    raise ConnectionError


def test_owners_take_turns_and_inactive_members_get_none(workspace: Workspace) -> None:
    for number in range(6):
        reactions.assign_owner(created(new_contact(workspace, number)), DELIVERY)

    names = {each.user_id: each.name for each in workspace.members}
    owners = [names[contact.assigned_to] for contact in Contact.objects.order_by("email")]
    assert owners == ["Ada", "Cleo", "Dan"] * 2


def test_owners_are_shared_out_fairly_when_many_contacts_come_at_once(workspace: Workspace) -> None:
    contacts = [new_contact(workspace, number) for number in range(60)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda contact: reactions.assign_owner(created(contact), DELIVERY), contacts))

    owners = Counter(contact.assigned_to for contact in Contact.objects)
    active = [each.user_id for each in workspace.members if each.is_active]
    assert owners == dict.fromkeys(active, 20)


def test_a_contact_keeps_its_owner_and_takes_no_turn(workspace: Workspace) -> None:
    owner = ObjectId()
    contact = new_contact(workspace, assigned_to=owner)
    reactions.assign_owner(created(contact), DELIVERY)

    assert contact.reload().assigned_to == owner
    assert workspace.reload().owner_turn == 0


def test_one_contact_delivered_to_many_at_once_gets_one_owner_that_stays(workspace: Workspace) -> None:
    contact = new_contact(workspace)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: reactions.assign_owner(created(contact), DELIVERY), range(8)))

    owner = contact.reload().assigned_to
    assert owner in {each.user_id for each in workspace.members}
    reactions.assign_owner(created(contact), DELIVERY)
    assert contact.reload().assigned_to == owner


def test_a_workspace_without_active_members_leaves_the_contact_unowned() -> None:
    empty = Workspace(name="Empty", members=[member("Bob", is_active=False)]).save()
    contact = new_contact(empty)
    reactions.assign_owner(created(contact), DELIVERY)

    assert contact.reload().assigned_to is None


@pytest.fixture
def welcoming(workspace: Workspace) -> Workspace:
    workspace.welcome_email = WelcomeEmail(account_id=ObjectId(), subject="Welcome", body="Hello")
    return workspace.save()


@pytest.mark.parametrize("source", ["manual", "form", "api"])
def test_a_new_contact_is_welcomed_once(welcoming: Workspace, source: Source) -> None:
    contact = new_contact(welcoming)
    for _ in range(2):
        reactions.send_welcome_email(created(contact, source), DELIVERY)

    assert redis().lrange("rq:queue:email-sync", 0, -1) == [f"welcome-{contact.id}".encode()]
    job = Job.fetch(f"welcome-{contact.id}", connection=redis())
    assert job.kwargs == {"contact_id": str(contact.id)}
    assert job.meta == {**DELIVERY.meta, "workspace_id": str(welcoming.id)}


def test_an_imported_contact_is_never_welcomed(welcoming: Workspace) -> None:
    reactions.send_welcome_email(created(new_contact(welcoming), "import"), DELIVERY)

    assert redis().dbsize() == 0


def test_a_workspace_without_welcome_email_sends_none(workspace: Workspace) -> None:
    reactions.send_welcome_email(created(new_contact(workspace)), DELIVERY)

    assert redis().dbsize() == 0


def test_the_timeline_says_once_when_and_how_a_contact_came(
    run_jobs: Callable[[], int], workspace: Workspace
) -> None:
    contact = new_contact(workspace)
    for _ in range(2):
        reactions.log_activity(created(contact), DELIVERY)
        run_jobs()

    entry = Activity.objects.get()
    assert (entry.kind, entry.title) == ("contact_created", "Contact created (form)")
    assert (entry.contact_id, entry.workspace_id) == (contact.id, workspace.id)
    assert entry.happened_at == ACCEPTED
    assert entry.source == f"event:{DELIVERY.event_id}:{contact.id}"


@pytest.mark.parametrize(
    "reaction", [reactions.score_lead, reactions.assign_owner, reactions.send_welcome_email]
)
def test_a_contact_that_was_deleted_since_is_passed_over(
    welcoming: Workspace, reaction: Callable[..., None]
) -> None:
    contact = new_contact(welcoming)
    contact.delete()
    reaction(created(contact), DELIVERY)

    assert Contact.objects.count() == 0
    assert welcoming.reload().owner_turn == 0
