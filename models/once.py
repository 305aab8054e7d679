"""What is done once for an installation, such as making up for the time before a feature was there."""

from __future__ import annotations

from contextlib import suppress

from mongoengine import DateTimeField, Document, NotUniqueError, StringField

from models.store import now


class Once(Document):
    """Its id says what."""

    id = StringField(primary_key=True)
    done_at = DateTimeField(default=now)

    meta = {"collection": "once", "auto_create_index": False, "strict": False, "personal_data": "none"}

    @classmethod
    def is_done(cls, name: str) -> bool:
        return cls.objects(id=name).only("id").first() is not None

    @classmethod
    def mark_done(cls, name: str) -> None:
        """Safe to run twice."""
        with suppress(NotUniqueError):
            cls(id=name).save(force_insert=True)
