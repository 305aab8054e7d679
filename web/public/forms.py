"""Filled-in forms from the workspaces' own pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import TypeAdapter, ValidationError
from werkzeug.exceptions import NotFound, UnprocessableEntity

import publishers.forms
from models.contact import Contact
from models.form import Form
from models.form_submission import FormSubmission
from services import form_fields
from web import errors
from web.public import access, body, fields, people, repeats, visitors
from web.public.crm_bodies import Submission
from web.public.fields import Email

blueprint = Blueprint("forms", __name__, url_prefix="/api/public/crm/forms")

EMAIL: TypeAdapter[str] = TypeAdapter(Email)


@blueprint.post("/<form_id>/submit")
def submit_form(form_id: str) -> Response:
    """Store a submission once, and make or complete the contact of its e-mail; safe to repeat."""
    given = Submission.model_validate(body.read_object())
    form = _form(form_id)
    workspace = access.check(form.workspace_id)
    email = _checked(form, given.fields)
    keys = repeats.keys([given.visitor_id, given.fields])
    known = FormSubmission.known(form.id, keys)
    _same(known, given)
    contact = _contact(form, email, given) if email else None
    visitor_id = visitors.trackable(workspace, given.visitor_id)
    visitor = visitors.link(workspace, contact, visitor_id) if contact and visitor_id else None
    submission = known or _store(form, keys[0], given, contact, visitor_id)
    _same(submission, given)
    if contact:
        people.publish(contact, submission=submission, visitor=visitor)
    else:
        publishers.forms.submitted(submission)
    ids = {"submissionId": str(submission.id), "contactId": str(contact.id) if contact else None}
    return jsonify(success=True, data=ids)


def _form(form_id: str) -> Form:
    form: Form | None = Form.objects(id=fields.path_id("formId", form_id)).first()
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


def _same(submission: FormSubmission | None, given: Submission) -> None:
    if submission and submission.values != given.fields:
        raise UnprocessableEntity(repeats.OTHER)


def _contact(form: Form, email: str, given: Submission) -> Contact:
    known = form_fields.contact_fields(given.fields)
    contact, _ = Contact.upsert(form.workspace_id, email, known, overwrite=False, announce_as="form")
    return contact


def _store(
    form: Form, key: str, given: Submission, contact: Contact | None, visitor_id: str | None
) -> FormSubmission:
    submission, _ = FormSubmission.store_once(
        form_id=form.id,
        key=key,
        workspace_id=form.workspace_id,
        values=given.fields,
        visitor_id=visitor_id,
        contact_id=contact.id if contact else None,
    )
    return submission
