"""Contacts and form submissions from the workspaces' own pages and servers."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from flask import Blueprint, Response, jsonify, request
from pydantic import TypeAdapter, ValidationError
from werkzeug.exceptions import NotFound, UnprocessableEntity

from models import store
from models.contact import Contact
from models.form import Form
from models.form_submission import FormSubmission
from publishers import events
from schemas.form import FormSubmitted
from services import form_fields
from web import errors
from web.public import access, body, people, track
from web.public.bodies import ContactBody, Submission
from web.public.fields import Email

blueprint = Blueprint("crm", __name__, url_prefix="/api/public/crm")

SAME_WITHIN = timedelta(minutes=1)  # a double click, or the retry of a client that names no key
LONGEST_KEY = 255  # characters of an Idempotency-Key
EMAIL: TypeAdapter[str] = TypeAdapter(Email)


@blueprint.post("/contacts")
def upsert_contact() -> Response:
    """Create the contact or overwrite the given fields of the one with this e-mail; safe to repeat."""
    given = ContactBody.model_validate(body.read_object())
    access.check(given.workspace_id)
    contact, is_new = Contact.upsert(
        given.workspace_id,
        given.email,
        given.contact_fields(),
        announce_as=given.source if given.source in people.SOURCES else "api",
    )
    people.publish(contact)
    return jsonify(success=True, data={"contactId": str(contact.id), "isNew": is_new})


@blueprint.post("/forms/<form_id>/submit")
def submit_form(form_id: str) -> Response:
    """Store a submission once, and make or complete the contact of its e-mail; safe to repeat."""
    given = Submission.model_validate(body.read_object())
    form = _form(form_id)
    access.check(form.workspace_id)
    email = _checked(form, given.fields)
    keys = _keys(given, store.now())
    known = FormSubmission.known(form.id, keys)
    _same(known, given)
    contact = _contact(form, email, given) if email else None
    submission = known or _store(form, keys[0], given, contact)
    _same(submission, given)
    _publish(submission, contact)
    ids = {"submissionId": str(submission.id), "contactId": str(contact.id) if contact else None}
    return jsonify(success=True, data=ids)


def _form(form_id: str) -> Form:
    if not ObjectId.is_valid(form_id):
        raise UnprocessableEntity("formId: must be a 24-digit hexadecimal id")
    form: Form | None = Form.objects(id=ObjectId(form_id)).first()
    if form is None:
        raise NotFound("formId: no such form")
    return form


def _checked(form: Form, values: dict[str, Any]) -> str | None:
    """The e-mail address of a submission that holds what its form requires; None when it asks for none."""
    missing = form.missing({name for name, value in values.items() if not _is_blank(value)})
    if missing:
        raise UnprocessableEntity("; ".join(f"fields.{name}: is required" for name in missing))
    name = form_fields.email_field(values)
    if name is None:
        return None
    try:
        return EMAIL.validate_python(values[name])
    except ValidationError:
        raise UnprocessableEntity(f"fields.{errors.shown(name)}: must be an e-mail address") from None


def _is_blank(value: Any) -> bool:
    return value in (None, []) or (isinstance(value, str) and not value.strip())


def _keys(given: Submission, now: datetime) -> list[str]:
    """What makes the submission unique, the one to store it under first.

    Without the client's own key it is what was sent, in this minute or the one before: a double click or a
    retry is one submission even across the minute's end, and a person may send the same again later.
    """
    if (named := request.headers.get("Idempotency-Key")) is not None:
        if not 0 < len(named) <= LONGEST_KEY:
            raise UnprocessableEntity(f"Idempotency-Key: must have 1 to {LONGEST_KEY} characters")
        return [f"client:{named}"]
    sent = json.dumps([given.visitor_id, given.fields], sort_keys=True)
    digest = hashlib.sha256(sent.encode()).hexdigest()
    return [f"{(now - ago).strftime('%Y-%m-%dT%H:%M')}:{digest}" for ago in (timedelta(0), SAME_WITHIN)]


def _same(submission: FormSubmission | None, given: Submission) -> None:
    if submission and submission.values != given.fields:
        raise UnprocessableEntity("Idempotency-Key: was used for another submission")


def _contact(form: Form, email: str, given: Submission) -> Contact:
    known = form_fields.contact_fields(given.fields)
    contact, _ = Contact.upsert(form.workspace_id, email, known, overwrite=False, announce_as="form")
    if given.visitor_id:
        track.link(contact, given.visitor_id)
    return contact


def _store(form: Form, key: str, given: Submission, contact: Contact | None) -> FormSubmission:
    submission, _ = FormSubmission.store_once(
        form_id=form.id,
        key=key,
        workspace_id=form.workspace_id,
        values=given.fields,
        visitor_id=given.visitor_id,
        contact_id=contact.id if contact else None,
    )
    return submission


def _publish(submission: FormSubmission, contact: Contact | None) -> None:
    submitted = FormSubmitted(
        workspace_id=str(submission.workspace_id),
        form_id=str(submission.form_id),
        submission_id=str(submission.id),
        contact_id=str(submission.contact_id) if submission.contact_id else None,
    )
    if contact:
        people.publish(contact, submitted)
    else:
        events.publish(submitted)
