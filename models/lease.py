"""A lease: one holder at a time for a unit of work, which heals itself when its holder dies.

It is kept in the store and not in Redis, where each look at it would be billed (docs/frugal.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import uuid4

from mongoengine import DateTimeField, Document, StringField
from pymongo.errors import DuplicateKeyError

from models.store import StoreError, now

KEPT = timedelta(days=7)  # what nobody took up again after its holder's death


class LeaseTaken(Exception):
    """Somebody else holds the lease; what it guards is being done."""


class LeaseLost(Exception):
    """The lease lapsed while its holder worked; the work must stop and is taken up by the next holder."""


class Lease(Document):
    """Its id is the name of what is held, like `mailbox-<id>`. Whoever is done removes it."""

    id = StringField(primary_key=True)
    holder = StringField(required=True)  # a random token, so that only its holder renews or removes it
    until = DateTimeField(required=True)

    meta = {
        "collection": "leases",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": [{"fields": ["until"], "expireAfterSeconds": int(KEPT.total_seconds())}],
    }

    @classmethod
    def take(cls, name: str, holder: str, span: timedelta) -> bool:
        """One command: of several at once, one finds it free or lapsed, and the id refuses the others."""
        moment = now()
        free, mine = {"_id": name, "until": {"$lte": moment}}, {"holder": holder, "until": moment + span}
        try:
            cls._get_collection().update_one(free, {"$set": mine}, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    def left(cls, names: Iterable[str]) -> set[str]:
        """Those that are held now, or whose last holder died, or could not reach the store at the end."""
        return set(cls.objects(id__in=list(names)).scalar("id"))


class Held:
    """A lease that was taken."""

    def __init__(self, name: str, span: timedelta):
        self._name, self._span, self._holder = name, span, uuid4().hex

    def take(self) -> bool:
        return Lease.take(self._name, self._holder, self._span)

    def renew(self) -> None:
        """Full time again. Raises `LeaseLost` when somebody else has taken it since it lapsed."""
        if not Lease.objects(id=self._name, holder=self._holder).update_one(set__until=now() + self._span):
            raise LeaseLost(f"the lease {self._name} lapsed; a shorter step or a longer lease is needed")

    def release(self) -> None:
        """Give it up if it is still ours."""
        Lease.objects(id=self._name, holder=self._holder).delete()


@contextmanager
def held(name: str, seconds: float) -> Iterator[Held]:
    """Hold a lease for the block. Raises `LeaseTaken` at once when somebody else has it, or `StoreError`."""
    mine = Held(name, timedelta(seconds=seconds))
    if not mine.take():
        raise LeaseTaken(name)
    try:
        yield mine
    finally:
        with suppress(StoreError):  # it lapses by itself
            mine.release()
