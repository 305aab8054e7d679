"""What the public routes have in common about contacts: store, then publish what is new about them."""

from __future__ import annotations

from typing import get_args

from bson import ObjectId
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import NotFound

from models.contact import Contact
from models.form_submission import FormSubmission
from models.visitor import Visitor
from publishers import contacts, events, forms, pages
from schemas.contact import Source

CREATED = "created:"
SOURCES: tuple[Source, ...] = get_args(Source)


def check(workspace_id: ObjectId, contact_id: ObjectId) -> None:
    """Raise the HTTP error when the workspace has no such contact."""
    if not Contact.objects(id=contact_id, workspace_id=workspace_id).only("id").first():
        raise NotFound("contactId: no such contact")


def publish(
    contact: Contact, *, submission: FormSubmission | None = None, visitor: Visitor | None = None
) -> None:
    """Publish what a contact, its visitor and its submission have to tell, with one store command.

    Safe to run twice. A request that dies before this leaves the announcement with the contact, so that the
    client's retry makes up for it.
    """
    with events.batch():
        _tell_news(contact)
        if visitor:
            pages.identified(contact.workspace_id, visitor)
        if submission:
            forms.submitted(submission)
    if contact.unannounced:
        contact.announced()
    if visitor:
        visitor.counted()


def _tell_news(contact: Contact) -> None:
    """`contact.created` with its source, and `contact.updated` with the fields that changed since, if any."""
    source = next((s for s in SOURCES if f"{CREATED}{s}" in contact.unannounced), None)
    changed = [to_camel(name) for name in contact.unannounced if not name.startswith(CREATED)]
    if source:
        contacts.created(contact, source=source)
    if changed:
        contacts.updated(contact, changed=changed)
