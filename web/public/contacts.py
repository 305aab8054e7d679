"""Contacts from the workspaces' own pages and servers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import Conflict, NotFound

from models.contact import Contact
from web.public import access, body, fields, people
from web.public.crm_bodies import ContactBody, ContactChange

blueprint = Blueprint("contacts", __name__, url_prefix="/api/public/crm/contacts")

OTHER_EMAIL = "email: is not this contact's; the public side cannot change an e-mail address"


@blueprint.post("")
def upsert() -> Response:
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
    return _answer(contact, is_new=is_new)


@blueprint.put("/<contact_id>")
def change(contact_id: str) -> Response:
    """Overwrite the given fields of a contact; safe to repeat. Its e-mail address stays: see OTHER_EMAIL."""
    given = ContactChange.model_validate(body.read_object())
    found_id = fields.path_id("contactId", contact_id)
    access.check(given.workspace_id)
    contact = Contact.amend(given.workspace_id, found_id, given.contact_fields(), email=given.email)
    if contact is None:
        known = Contact.objects(id=found_id, workspace_id=given.workspace_id).only("id").first()
        raise Conflict(OTHER_EMAIL) if known else NotFound("contactId: no such contact")
    people.publish(contact)
    return _answer(contact, is_new=False)


def _answer(contact: Contact, *, is_new: bool) -> Response:
    return jsonify(success=True, data={"contactId": str(contact.id), "isNew": is_new})
