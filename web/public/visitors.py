"""Who a visitor is, and whether it may be tracked."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from models.contact import Contact
from models.visitor import Visitor, visitor_key
from models.visitor_event import VisitorEvent
from models.workspace import Workspace
from web.public import access


def may_track(workspace: Workspace, consent: bool | None) -> bool:
    """The visitor's own answer; without one it is up to the workspace."""
    return not workspace.needs_consent if consent is None else consent


def decide(workspace_id: ObjectId, visitor_id: str, agrees: bool) -> None:
    """Keep the visitor's answer. Safe to run twice.

    Before the first refusal of a workspace it is noted there that visitors have to be looked up. Other web
    processes learn of it some seconds later; what they accept until then `consumers.visits` drops.
    """
    if not agrees and Workspace.note_refusal(workspace_id):
        access.recent_workspaces.forget()
    Visitor.decide(workspace_id, visitor_id, agrees)


def consents(asked: Sequence[tuple[Workspace, str]]) -> dict[tuple[ObjectId, str], bool]:
    """The answers of visitors, by workspace and visitor. One query; none where no answer changes anything."""
    keys = {
        visitor_key(workspace.id, visitor_id): (workspace.id, visitor_id)
        for workspace, visitor_id in asked
        if workspace.needs_consent or workspace.has_refusals
    }
    return {keys[key]: answer for key, answer in Visitor.consents(keys).items()} if keys else {}


def trackable(workspace: Workspace, visitor_id: str | None) -> str | None:
    """The visitor's id, unless it may not be tracked. It is always looked up: no job looks once more."""
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
