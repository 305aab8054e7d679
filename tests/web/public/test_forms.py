"""Filled-in forms."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from pymongo.errors import AutoReconnect

from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.form_submission import FormSubmission
from models.visitor_event import VisitorEvent
from tests.web.public.conftest import Api

FIELDS = {"E-Mail": "Grace@navy.test", "full name": "Grace Hopper", "Company": "Navy", "message": "Call me"}


def test_a_submission_is_stored_makes_a_contact_and_reaches_the_timeline(
    api: Api, run_jobs: Callable[[], int]
) -> None:
    answer = api.submit(FIELDS)

    submission, contact = FormSubmission.objects.get(), Contact.objects.get()
    data = {"submissionId": str(submission.id), "contactId": str(contact.id)}
    assert (answer.status_code, answer.json) == (200, {"success": True, "data": data})
    assert (submission.values, submission.form_id) == (FIELDS, api.form.id)
    assert (submission.workspace_id, submission.contact_id) == (api.workspace.id, contact.id)
    assert (contact.email, contact.source) == ("grace@navy.test", "form")
    assert (contact.first_name, contact.last_name, contact.company) == ("Grace", "Hopper", "Navy")
    run_jobs()
    states = {r.type: r.status for r in EventRecord.objects}
    assert set(states.values()) == {"done"}
    assert states.keys() >= {"contact.created", "form.submitted"}
    titles = {entry.kind: entry.title for entry in Activity.objects(contact_id=contact.id)}
    assert titles["form_submitted"] == "Submitted the form Talk to us"


def test_only_empty_fields_of_a_known_contact_are_filled(api: Api) -> None:
    Contact.upsert(api.workspace.id, "grace@navy.test", {"first_name": "Amazing", "source": "api"})
    api.submit(FIELDS)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name, contact.source) == ("Amazing", "Hopper", "api")
    assert sorted(r.type for r in EventRecord.objects) == ["contact.updated", "form.submitted"]


def test_a_visitor_who_submits_is_identified(api: Api) -> None:
    api.track(api.event())
    contact_id = api.submit(FIELDS, visitorId="visitor-1").json["data"]["contactId"]
    assert str(VisitorEvent.objects.get().contact_id) == contact_id


def test_a_form_without_an_email_is_stored_without_a_contact(api: Api) -> None:
    api.form.fields = []
    api.form.save()
    answer = api.submit({"message": "Hello"})
    assert answer.json["data"]["contactId"] is None
    assert Contact.objects.count() == 0
    assert EventRecord.objects.get().type == "form.submitted"


def test_the_same_within_a_minute_is_one_submission_even_across_its_end(api: Api) -> None:
    with time_machine.travel(datetime(2026, 1, 31, 12, 0, 59, tzinfo=UTC), tick=False) as clock:
        first = api.submit(FIELDS).json
        clock.shift(2)
        assert api.submit(FIELDS).json == first
    assert FormSubmission.objects.count() == EventRecord.objects(type="form.submitted").count() == 1


def test_the_same_later_from_another_visitor_or_with_another_answer_is_another(api: Api) -> None:
    with time_machine.travel(datetime(2026, 1, 31, 12, 0, tzinfo=UTC), tick=False) as clock:
        api.submit(FIELDS)
        api.submit(FIELDS, visitorId="visitor-2")
        api.submit(FIELDS | {"message": "Call me now"})
        clock.shift(120)
        api.submit(FIELDS)
    assert FormSubmission.objects.count() == EventRecord.objects(type="form.submitted").count() == 4
    assert Contact.objects.count() == 1


def test_an_idempotency_key_makes_a_submission_unique_however_late_the_retry(api: Api) -> None:
    key = {"Idempotency-Key": "4f5e"}
    with time_machine.travel(datetime(2026, 1, 31, 12, 0, tzinfo=UTC), tick=False) as clock:
        first = api.submit(FIELDS, key).json
        clock.shift(3_600)
        assert api.submit(FIELDS, key).json == first
        assert api.submit(FIELDS, {"Idempotency-Key": "other"}).json != first
    assert FormSubmission.objects.count() == 2


def test_an_idempotency_key_of_another_submission_is_refused_and_nothing_changes(api: Api) -> None:
    api.submit(FIELDS, {"Idempotency-Key": "4f5e"})
    answer = api.submit(FIELDS | {"E-Mail": "ada@navy.test"}, {"Idempotency-Key": "4f5e"})
    assert answer.status_code == 422
    assert answer.json["message"] == "Idempotency-Key: was used for another submission"
    assert FormSubmission.objects.count() == Contact.objects.count() == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_has_1_to_255_characters(api: Api, key: str) -> None:
    answer = api.submit(FIELDS, {"Idempotency-Key": key})
    assert (answer.status_code, answer.json["message"][:16]) == (422, "Idempotency-Key:")


@pytest.mark.parametrize("died_at", [(FormSubmission, "store_once"), (EventRecord, "accept")])
def test_a_retry_makes_up_for_a_request_that_died(
    api: Api, monkeypatch: pytest.MonkeyPatch, died_at: tuple[type, str]
) -> None:
    def die(*_: object, **__: object) -> None:
        raise AutoReconnect("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(*died_at, die)
        assert api.submit(FIELDS).status_code == 503
    assert EventRecord.objects.count() == 0

    assert api.submit(FIELDS).status_code == 200
    assert sorted(record.type for record in EventRecord.objects) == ["contact.created", "form.submitted"]
    assert FormSubmission.objects.count() == Contact.objects.count() == 1


def test_a_double_click_in_several_threads_is_one_submission(api: Api) -> None:
    def send(_: int) -> tuple[int, str]:
        with api.client.application.test_client() as client:
            answer = client.post(api.submit_path, json={"fields": FIELDS})
            return answer.status_code, answer.json["data"]["submissionId"]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(8)))) == 1
    assert FormSubmission.objects.count() == Contact.objects.count() == 1
    assert EventRecord.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "fields"),
        (None, "fields"),
        ([], "fields"),
        ({"message": "no e-mail"}, "fields.E-Mail: is required"),
        ({"E-Mail": " "}, "fields.E-Mail: is required"),
        ({"E-Mail": "grace"}, "fields.E-Mail: must be an e-mail address"),
        ({"E-Mail": ["grace@navy.test"]}, "fields.E-Mail"),
        ({"E-Mail": "a@navy.test", "leadScore": 9}, "fields.leadScore: is never accepted"),
        ({"E-Mail": "a@navy.test", "assigned_to": 9}, "fields.assigned_to: is never accepted"),
        ({"E-Mail": "a@navy.test", "message": "a\0"}, "fields.message: must not contain a NUL"),
        ({"E-Mail": "a@navy.test", "message": "a" * 8_193}, "fields.message: must have at most"),
        ({"E-Mail": "a@navy.test", "$where": "1"}, "fields.$where"),
    ],
)
def test_a_bad_field_is_refused_by_its_name_and_nothing_is_stored(api: Api, fields: Any, named: str) -> None:
    answer = api.submit(fields)
    assert answer.status_code == 422
    assert answer.json["message"].startswith(named)
    assert FormSubmission.objects.count() == Contact.objects.count() == EventRecord.objects.count() == 0


@pytest.mark.parametrize(("form_id", "status"), [("x", 422), ("%00", 422), ("0" * 24, 404)])
def test_an_unknown_form_is_refused_by_name(api: Api, form_id: str, status: int) -> None:
    answer = api.client.post(f"/api/public/crm/forms/{form_id}/submit", json={"fields": FIELDS})
    assert (answer.status_code, answer.json["message"][:7]) == (status, "formId:")
