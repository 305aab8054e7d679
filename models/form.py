"""A form on a workspace's pages."""

from __future__ import annotations

from mongoengine import (
    BooleanField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    ObjectIdField,
    StringField,
)


class FormField(EmbeddedDocument):
    name = StringField(required=True)  # as it stands in a submission
    label = StringField()
    is_required = BooleanField(default=False)

    meta = {"strict": False}


class Form(Document):
    workspace_id = ObjectIdField(required=True)
    name = StringField(required=True)
    fields = EmbeddedDocumentListField(FormField)  # a submission may hold others too: forms change

    meta = {
        "collection": "forms",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": ["workspace_id"],
    }

    def missing(self, given: set[str]) -> list[str]:
        """The names of required fields that are not among those given."""
        return [field.name for field in self.fields if field.is_required and field.name not in given]
