"""Who a visitor is, and whether it may be tracked."""

from __future__ import annotations

from models.contact import Contact
from models.visitor import Visitor, visitor_key
from models.visitor_event import VisitorEvent
from models.workspace import Workspace


def may_track(workspace: Workspace, consent: bool | None) -> bool:
    """The visitor's own answer; without one it is up to the workspace."""
    return not workspace.needs_consent if consent is None else consent


def trackable(workspace: Workspace, visitor_id: str | None) -> str | None:
    """The visitor's id, unless it may not be tracked."""
    if visitor_id is None:
        return None
    key = visitor_key(workspace.id, visitor_id)
    return visitor_id if may_track(workspace, Visitor.consents([key]).get(key)) else None


def link(workspace: Workspace, contact: Contact, visitor_id: str) -> Visitor | None:
    """The visitor and all it did before are the contact's; None when there is nothing more to tell of it.

    That is when it may not be tracked, has viewed no page, or was this contact before. In this order, see
    `visits.accept`; safe to run twice.
    """
    visitor = Visitor.identify(
        workspace.id, visitor_id, contact.id, needs_consent=bool(workspace.needs_consent)
    )
    if visitor is None:
        return None
    VisitorEvent.link_visitor(workspace.id, visitor_id, contact.id)
    if not visitor.untold:
        return None
    if not VisitorEvent.views_of(workspace.id, visitor_id, contact.id, limit=1):
        visitor.counted()
        return None
    return visitor
