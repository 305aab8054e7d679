"""The record that an event names, if the event's workspace has it.

An event may name anything: whoever publishes over HTTP writes the ids. What another workspace has does not
exist for it.
"""

from __future__ import annotations

from typing import TypeVar

from bson import ObjectId
from mongoengine import Document

from schemas.event import Event

D = TypeVar("D", bound=Document)


def find(kind: type[D], event: Event, record_id: str | None, *fields: str) -> D | None:
    """The document of that id, with these fields or all; None: no id, or no such record in the workspace."""
    if record_id is None:
        return None
    found = kind.objects(id=ObjectId(record_id), workspace_id=ObjectId(event.workspace_id))
    mine: D | None = (found.only(*fields) if fields else found).first()
    return mine
