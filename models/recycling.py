"""A contact that is recycled, as the contact itself holds it until all that follows is done."""

from __future__ import annotations

from mongoengine import DateTimeField, EmbeddedDocument, IntField, ObjectIdField, StringField

LOST = ("lost", "unqualified")  # statuses of those whom nobody works any more


class Recycling(EmbeddedDocument):
    batch = StringField(required=True)  # whose turn it is to do what follows
    lost_at = DateTimeField(required=True)
    lost_as = StringField(choices=LOST, required=True)
    interest_at = DateTimeField(required=True)  # when it showed interest last
    recycled_at = DateTimeField(required=True)
    sequence_id = ObjectIdField()  # that it is to be enrolled in; absent: none
    sequence_version = IntField()

    meta = {"strict": False}
