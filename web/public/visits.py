"""Accept what visitors did, as one event per batch: the reaction to it, `consumers/visits.py`, stores it."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from models.workspace import Workspace
from publishers import events, pages
from schemas.visits import Visit
from web.public import visitors
from web.public.bodies import TrackedEvent


def accept(tracked: Sequence[tuple[Workspace, TrackedEvent]]) -> int:
    """Publish the events of visitors who may be tracked; returns how many those were. Safe to repeat."""
    consents = visitors.consents([(workspace, event.visitor_id) for workspace, event in tracked])
    kept = [
        event
        for workspace, event in tracked
        if visitors.may_track(workspace, consents.get((event.workspace_id, event.visitor_id)))
    ]
    by_workspace: dict[ObjectId, list[Visit]] = {}
    for event in kept:
        by_workspace.setdefault(event.workspace_id, []).append(event)
    with events.batch(in_group=True):
        for workspace_id, visits in by_workspace.items():
            pages.tracked(workspace_id, visits)
    return len(kept)
