"""Events of a contact."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, register


@register
class ContactCreated(Event):
    type = "contact.created"

    contact_id: Id
    source: Literal["manual", "import", "form", "api"]

    @property
    def key(self) -> str:
        return f"{self.type}:{self.contact_id}"


@register
class ContactUpdated(Event):
    type = "contact.updated"

    contact_id: Id
    changed: list[str]  # names of the fields that were given, in camelCase
