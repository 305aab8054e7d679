"""Who asks to see the product is shown it: somebody has to do that."""

from __future__ import annotations

from bson import ObjectId

from models.contact import Contact
from models.event import EventRecord
from models.task import Task
from schemas.demo import DemoRequested
from tests.reactions import RunJobs, happens, notices


def test_the_owner_has_one_task_per_request(grace: Contact, about: dict[str, str], run_jobs: RunJobs) -> None:
    happens(DemoRequested(**about, request_id=str(ObjectId())), run_jobs)
    task = Task.objects.get()
    assert (task.title, task.assigned_to) == ("Show Grace Hopper the product", grace.assigned_to)
    assert notices(grace.assigned_to) == ["For you: Show Grace Hopper the product"]
    assert EventRecord.objects(type="task.created").count() == 1


def test_the_request_of_a_deleted_contact_is_passed_over(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    grace.delete()
    happens(DemoRequested(**about, request_id=str(ObjectId())), run_jobs)
    assert Task.objects.count() == 0
