"""An automation: when an event of a type happens and all conditions hold, do the actions."""

from __future__ import annotations

from bson import ObjectId
from mongoengine import (
    BooleanField,
    Document,
    DynamicField,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    ObjectIdField,
    StringField,
)

OPERATORS = ("equals", "not_equals", "contains", "greater_than", "less_than", "in", "not_in")


class TriggerCondition(EmbeddedDocument):
    field = StringField(required=True)  # dotted, like contact.leadScore
    operator = StringField(required=True, choices=OPERATORS)
    value = DynamicField()

    meta = {"strict": False}


class TriggerAction(EmbeddedDocument):
    kind = StringField(required=True, choices=("notify", "create_task"))
    text = StringField(required=True)  # may use {{contact.firstName}}

    meta = {"strict": False}


class Trigger(Document):
    workspace_id = ObjectIdField(required=True)
    name = StringField(required=True)
    event_type = StringField(required=True)
    conditions = EmbeddedDocumentListField(TriggerCondition)
    actions = EmbeddedDocumentListField(TriggerAction)
    is_active = BooleanField(default=True)

    meta = {
        "collection": "triggers",
        "auto_create_index": False,
        "strict": False,
        "indexes": [["workspace_id", "event_type", "is_active"]],
    }

    @classmethod
    def active_for(cls, workspace_id: ObjectId, event_type: str) -> list[Trigger]:
        return list(cls.objects(workspace_id=workspace_id, event_type=event_type, is_active=True))
