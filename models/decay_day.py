"""The moment that a day's decay refers to, so that every run of the day means the same one."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from mongoengine import DateTimeField, Document, NotUniqueError, StringField

KEPT = timedelta(days=90)


class DecayDay(Document):
    """Its id is the day in UTC, like 2026-01-31."""

    id = StringField(primary_key=True)
    as_of = DateTimeField(required=True)

    meta = {
        "collection": "decay_days",
        "auto_create_index": False,
        "strict": False,
        "personal_data": "none",
        "indexes": [{"fields": ["as_of"], "expireAfterSeconds": int(KEPT.total_seconds())}],
    }

    @classmethod
    def of(cls, tick: datetime) -> DecayDay:
        """That of a tick's day: its first tick decides. Safe to run twice, and at the same time."""
        day = f"{tick:%Y-%m-%d}"
        with suppress(NotUniqueError):
            cls(id=day, as_of=tick).save(force_insert=True)
        found: DecayDay = cls.objects.get(id=day)
        return found
