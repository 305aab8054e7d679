"""What follows a filled-in form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bson import ObjectId

from consumers import dispatch
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.form import Form
from models.task import Task
from models.trigger import Trigger
from publishers import events
from schemas.form import FormSubmitted


@pytest.fixture
def contact(stores: None) -> Contact:
    return Contact.upsert(ObjectId(), "grace@navy.test", {})[0]


@pytest.fixture
def form(contact: Contact) -> Form:
    return Form(workspace_id=contact.workspace_id, name="Talk to us").save()


def submitted(form: Form, contact: Contact | None) -> FormSubmitted:
    return FormSubmitted(
        workspace_id=str(form.workspace_id),
        form_id=str(form.id),
        submission_id=str(ObjectId()),
        contact_id=str(contact.id) if contact else None,
    )


def test_it_is_on_the_timeline_and_is_an_activity(
    contact: Contact, form: Form, run_jobs: Callable[[], int]
) -> None:
    event = submitted(form, contact)
    events.publish(event)
    run_jobs()
    entry = Activity.objects.get()
    assert (entry.contact_id, entry.kind, entry.title) == (
        *(contact.id, "form_submitted"),
        "Submitted the form Talk to us",
    )
    assert entry.details == {"formId": str(form.id), "submissionId": event.submission_id}
    contact.reload()
    assert contact.last_activity_at == EventRecord.objects.get().accepted_at


def test_a_delivery_that_is_repeated_changes_nothing(
    contact: Contact, form: Form, run_jobs: Callable[[], int]
) -> None:
    event_id = events.publish(submitted(form, contact))
    run_jobs()
    record = EventRecord.objects.get(id=event_id)
    EventRecord.objects.update(set__reactions={}, set__status="queued")
    dispatch.handle(event_id, record.envelope())
    run_jobs()
    assert Activity.objects.count() == 1


def test_a_submission_without_a_contact_is_done_without_an_entry(
    form: Form, run_jobs: Callable[[], int]
) -> None:
    events.publish(submitted(form, None))
    run_jobs()
    assert Activity.objects.count() == 0
    assert EventRecord.objects.get().status == "done"


def test_a_form_that_was_deleted_since_still_has_its_entry(
    contact: Contact, form: Form, run_jobs: Callable[[], int]
) -> None:
    events.publish(submitted(form, contact))
    form.delete()
    run_jobs()
    assert Activity.objects.get().title == "Submitted a form"


def test_automations_run_once_for_a_submission(
    contact: Contact, form: Form, run_jobs: Callable[[], int]
) -> None:
    Trigger(
        workspace_id=form.workspace_id,
        name="Call back",
        event_type="form.submitted",
        actions=[{"type": "create_task", "title": "Call {{contact.email}}"}],
    ).save()
    event = submitted(form, contact)
    events.publish(event)
    events.publish(event)
    run_jobs()
    assert [task.title for task in Task.objects] == ["Call grace@navy.test"]
