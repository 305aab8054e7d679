"""What another service says of a contact, as the contact itself holds it."""

from __future__ import annotations

from mongoengine import DictField, EmbeddedDocument, ListField, StringField


class Enrichment(EmbeddedDocument):
    """What another service says of the contact."""

    service = StringField()
    id = StringField()  # the contact's there
    written = DictField()  # field -> the value that it was given: what differs by now, a person typed
    more = DictField()  # what a contact has no field for
    unannounced = ListField(StringField())  # stored names of changed fields, yet to be published

    meta = {"strict": False}
