"""What becomes of a contact: told in its timeline and to its owner."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from models import store
from models.contact import Contact
from models.event import EventRecord
from models.task import Task
from models.workspace import Workspace
from schemas.contact import (
    ContactDeleted,
    ContactLifecycleChanged,
    ContactOwnerAssigned,
    ContactRecycled,
    ContactScoreChanged,
)
from schemas.event import Event
from tests.reactions import RunJobs, happens, notices, timeline

OCCASION = {"occasion": "test"}


@pytest.mark.parametrize(
    ("kind", "fields", "title"),
    [
        (ContactLifecycleChanged, {"stage": "mql", **OCCASION}, "Became marketing qualified lead"),
        (ContactLifecycleChanged, {"stage": "customer", **OCCASION}, "Became customer"),
        (
            ContactScoreChanged,
            {"score": 71, "grade": "A", "previous_grade": "C", **OCCASION},
            "Lead grade C → A",
        ),
        (ContactRecycled, {"lost_at": store.now()}, "Showed interest again: worked once more"),
    ],
)
def test_the_timeline_tells_once_what_became_of_a_contact(
    grace: Contact,
    about: dict[str, str],
    run_jobs: RunJobs,
    kind: type[Event],
    fields: dict[str, Any],
    title: str,
) -> None:
    happens(kind(**about, **fields), run_jobs)
    assert timeline(grace) == [title]


def test_a_first_grade_is_no_change(grace: Contact, about: dict[str, str], run_jobs: RunJobs) -> None:
    happens(ContactScoreChanged(**about, score=71, grade="A", **OCCASION), run_jobs)
    assert timeline(grace) == []


def assigned(about: dict[str, str], owner: ObjectId) -> ContactOwnerAssigned:
    return ContactOwnerAssigned(**about, owner_id=str(owner), method="manual", **OCCASION)


def test_a_new_owner_is_told_once(
    acme: Workspace, grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    ada = acme.members[0].user_id
    happens(assigned(about, ada), run_jobs)
    assert timeline(grace) == ["Assigned to Ada"]
    assert notices(ada) == ["Grace Hopper is yours now"]


def test_nobody_is_told_of_each_imported_contact(
    acme: Workspace, grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    grace.update(source="import")
    happens(assigned(about, acme.members[0].user_id), run_jobs)
    assert notices(acme.members[0].user_id) == []


def test_an_owner_who_has_left_is_named_as_such(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(assigned(about, ObjectId()), run_jobs)
    assert timeline(grace) == ["Assigned to somebody who has left"]


def test_nothing_is_to_be_done_about_a_deleted_contact(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    mine = {"workspace_id": grace.workspace_id, "contact_id": grace.id, "assigned_to": None}
    Task.create_once(**mine, title="Call", key="1")
    Task.objects(id=Task.create_once(**mine, title="Write", key="2").id).update(status="completed")
    happens(ContactDeleted(**about), run_jobs)
    assert {task.title: task.status for task in Task.objects} == {"Call": "cancelled", "Write": "completed"}
    assert not EventRecord.objects(type="task.completed")
