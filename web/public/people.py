"""What the public routes have in common about contacts: store, then publish what is new about them."""

from __future__ import annotations

from typing import get_args

from pydantic.alias_generators import to_camel

from models.contact import Contact
from publishers import events
from schemas.contact import ContactCreated, ContactUpdated
from schemas.event import Event

CREATED = "created:"
SOURCES: tuple[str, ...] = get_args(ContactCreated.model_fields["source"].annotation)


def publish(contact: Contact, *others: Event) -> None:
    """Publish what the contact has to announce, and the other events, with one store command.

    Safe to run twice. A request that dies before this leaves the announcement with the contact, so that the
    client's retry makes up for it.
    """
    events.publish_all([*news_of(contact), *others])
    if contact.unannounced:
        contact.announced()


def news_of(contact: Contact) -> list[Event]:
    """`contact.created` with its source, or else `contact.updated` with the changed fields, or nothing."""
    ids = {"workspace_id": str(contact.workspace_id), "contact_id": str(contact.id)}
    created = [note.removeprefix(CREATED) for note in contact.unannounced if note.startswith(CREATED)]
    if created:
        return [ContactCreated.model_validate({**ids, "source": created[0]})]
    changed = [to_camel(name) for name in contact.unannounced]
    return [ContactUpdated(**ids, changed=changed)] if changed else []
