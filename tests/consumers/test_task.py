"""Tasks: who has to do it is told, and what was done stands in the timeline."""

from __future__ import annotations

from bson import ObjectId

from models import store
from models.activity import Activity
from models.contact import Contact
from models.task import Task
from publishers import tasks
from schemas.task import TaskCompleted, TaskCreated, TaskOverdue
from tests.reactions import RunJobs, happens, notices, timeline


def new_task(grace: Contact) -> Task:
    return Task.create_once(
        workspace_id=grace.workspace_id,
        contact_id=grace.id,
        assigned_to=grace.assigned_to,
        title="Call her",
        key="1",
    )


def test_who_has_to_do_it_is_told_when_it_comes_and_when_it_is_late(
    grace: Contact, run_jobs: RunJobs
) -> None:
    ids = tasks._of(new_task(grace), None)
    happens(TaskCreated(**ids), run_jobs)
    happens(TaskOverdue(**ids, due_at=store.now()), run_jobs)
    happens(TaskCompleted(**ids, completed_at=store.now()), run_jobs)
    assert notices(grace.assigned_to) == ["For you: Call her", "Overdue: Call her"]
    assert timeline(grace) == ["Task: Call her", "Task done: Call her"]


def test_a_task_that_was_deleted_since_is_passed_over(grace: Contact, run_jobs: RunJobs) -> None:
    ids = tasks._of(new_task(grace), None)
    Task.objects.delete()
    happens(TaskCreated(**ids), run_jobs)
    happens(TaskOverdue(**ids, due_at=store.now()), run_jobs)
    assert notices(grace.assigned_to) == timeline(grace) == []


def test_a_task_about_nobody_stands_in_no_timeline(grace: Contact, run_jobs: RunJobs) -> None:
    ids = {**tasks._of(new_task(grace), None), "contact_id": None}
    happens(TaskCompleted(**ids, completed_at=store.now(), completed_by=str(ObjectId())), run_jobs)
    assert Activity.objects.count() == 0
