"""What the public routes have in common about contacts: store, then publish what is new about them."""

from __future__ import annotations

from typing import get_args

from bson import ObjectId
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import NotFound

from models.contact import Contact
from models.visitor import Visitor
from publishers import events
from schemas.contact import ContactCreated, ContactUpdated
from schemas.event import Event
from schemas.visitor import VisitorIdentified

CREATED = "created:"
SOURCES: tuple[str, ...] = get_args(ContactCreated.model_fields["source"].annotation)


def check(workspace_id: ObjectId, contact_id: ObjectId) -> None:
    """Raise the HTTP error when the workspace has no such contact."""
    if not Contact.objects(id=contact_id, workspace_id=workspace_id).only("id").first():
        raise NotFound("contactId: no such contact")


def publish(contact: Contact, *others: Event, visitor: Visitor | None = None) -> None:
    """Publish what a contact and its visitor have to announce, and the others, with one store command.

    Safe to run twice. A request that dies before this leaves the announcement with the contact, so that the
    client's retry makes up for it.
    """
    identified = [_identified(contact, visitor)] if visitor else []
    events.publish_all([*news_of(contact), *identified, *others])
    if contact.unannounced:
        contact.announced()
    if visitor:
        visitor.counted()


def news_of(contact: Contact) -> list[Event]:
    """`contact.created` with its source, or else `contact.updated` with the changed fields, or nothing."""
    ids = {"workspace_id": str(contact.workspace_id), "contact_id": str(contact.id)}
    created = [note.removeprefix(CREATED) for note in contact.unannounced if note.startswith(CREATED)]
    if created:
        return [ContactCreated.model_validate({**ids, "source": created[0]})]
    changed = [to_camel(name) for name in contact.unannounced]
    return [ContactUpdated(**ids, changed=changed)] if changed else []


def _identified(contact: Contact, visitor: Visitor) -> VisitorIdentified:
    return VisitorIdentified(
        workspace_id=str(contact.workspace_id), visitor_id=visitor.given_id, contact_id=str(contact.id)
    )
