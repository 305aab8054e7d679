"""The lifecycle of a contact: the mark that it is to be looked at, and the steps that are yet to be told.

Whatever may make a step due marks the contact, with the same write or after it. Each mark has a value of its
own, and is taken only while it has the value that was read: what comes in between is looked at, too.
"""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    ObjectIdField,
    StringField,
)

# Index of the marked contacts alone: sparse, since it has no field that others have, too.
MARKED = ["lifecycle.mark.workspace_id", "lifecycle.mark.contact_id"]


class Mark(EmbeddedDocument):
    """The contact may have a step to take."""

    workspace_id = ObjectIdField(required=True)  # both are the contact's
    contact_id = ObjectIdField(required=True)
    value = ObjectIdField(required=True)

    meta = {"strict": False}


class Step(EmbeddedDocument):
    """A stage that was reached, yet to be told."""

    stage = StringField(required=True)
    previous_stage = StringField(required=True)
    occasion = StringField(required=True)
    at = DateTimeField(required=True)

    meta = {"strict": False}


class Lifecycle(EmbeddedDocument):
    mark = EmbeddedDocumentField(Mark)  # absent: nothing has happened since it was looked at
    unannounced = EmbeddedDocumentListField(Step)

    meta = {"strict": False}


def marked(workspace_id: Any, contact_id: Any) -> dict[str, Any]:
    """What to set in a contact; its ids, or what they are in the store's expressions."""
    return {"lifecycle.mark": {"workspace_id": workspace_id, "contact_id": contact_id, "value": ObjectId()}}
