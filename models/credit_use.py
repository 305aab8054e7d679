"""Credits of another service that a workspace uses in a month: reserved before they are spent."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from bson import ObjectId
from mongoengine import Document, IntField, NotUniqueError, StringField


class CreditUse(Document):
    """Its id is like `apollo:<workspace>:2026-01`."""

    id = StringField(primary_key=True)
    reserved = IntField(default=0)

    meta = {
        "collection": "credit_uses",
        "auto_create_index": False,
        "strict": False,
        "personal_data": "none",
    }

    @classmethod
    def reserve(cls, service: str, workspace_id: ObjectId, at: datetime, credits: int, limit: int) -> bool:
        """Take credits of the month; returns whether there were enough. Two callers never share one.

        Whoever dies before `release` leaves them taken: too few are spent, never too many.
        """
        key = _key(service, workspace_id, at)
        if credits > limit:
            return False
        with suppress(NotUniqueError):
            cls(id=key).save(force_insert=True)
        return bool(cls.objects(id=key, reserved__lte=limit - credits).update_one(inc__reserved=credits))

    @classmethod
    def release(cls, service: str, workspace_id: ObjectId, at: datetime, credits: int) -> None:
        """Give back what was not spent."""
        if credits > 0:
            cls.objects(id=_key(service, workspace_id, at)).update_one(dec__reserved=credits)


def _key(service: str, workspace_id: ObjectId, at: datetime) -> str:
    return f"{service}:{workspace_id}:{at:%Y-%m}"
