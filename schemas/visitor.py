"""Events of a visitor."""

from __future__ import annotations

from schemas.event import Event, Id, register


@register
class VisitorIdentified(Event):
    """A visitor turned out to be a contact: what it did before counts for the contact from now on."""

    type = "visitor.identified"
    about = ("contact_id",)

    visitor_id: str
    contact_id: Id
