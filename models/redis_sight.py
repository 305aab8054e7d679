"""What was seen of Redis last; and while it is made good what Redis lost, how far that has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    IntField,
    ListField,
    StringField,
)
from pymongo.errors import DuplicateKeyError

THE_ONE = "redis"
SERVERS = 20  # that are remembered: a proxy may show now one, now another
OF_A_LOSS = ("since", "until", "has_open", "after")


class RedisSight(Document):
    """There is one. A change has what it is based on in its filter: who comes too late changes nothing."""

    id = StringField(primary_key=True)
    looked_at = DateTimeField()
    mark = DateTimeField()  # see queues/mark.py; None: nobody has looked yet
    servers = ListField(StringField())
    keep_days = IntField()  # the least that EVENTS_KEEP_DAYS ever was

    # Of a loss; absent when there is nothing to be made good.
    since = DateTimeField()  # what was handed on from then on may be lost
    until = DateTimeField()  # by then whoever handed something on to the old Redis has told the ledger so
    has_open = BooleanField()  # those that were not done at that moment are dealt with
    after = DateTimeField()  # the others are dealt with that expire by then

    meta = {
        "collection": "redis_sights",
        "auto_create_index": False,
        "strict": False,
        "personal_data": "none",
    }

    @classmethod
    def current(cls) -> RedisSight | None:
        found: RedisSight | None = cls.objects(id=THE_ONE).first()
        return found

    @classmethod
    def claim(cls, at: datetime, every: timedelta) -> bool:
        """Whether the caller is the one who looks now. A look in the future is that of a wrong clock."""
        due = {"_id": THE_ONE, "looked_at": {"$not": {"$gt": at - every, "$lte": at}}}
        try:
            done = cls._get_collection().update_one(due, {"$set": {"looked_at": at}}, upsert=True)
        except DuplicateKeyError:
            return False
        return bool(done.matched_count or done.upserted_id)

    def knows(self, server: str | None) -> bool:
        """Whether it was seen before, or does not say who it is."""
        return server is None or server in self.servers

    def saw(self, mark: datetime, server: str | None, keep_days: int) -> None:
        """All is there that was there, and the mark was moved."""
        seen = {"mark": mark, "servers": self._with(server)}
        self._change({"mark": self.mark}, {"$set": seen, "$min": {"keep_days": keep_days}})

    def lost(self, since: datetime, until: datetime, server: str | None) -> bool:
        """What was written from a moment on may be gone, and all that is yet to be made good is part of it.

        False: another process knows already.
        """
        loss = {"mark": since, "servers": self._with(server), "since": since, "until": until}
        undone = {name: "" for name in OF_A_LOSS if name not in loss}
        return self._change({"mark": self.mark, "until": self.until}, {"$set": loss, "$unset": undone})

    def dealt_with_open(self, at: datetime) -> None:
        """Events that were not done at that moment; those that are done by then are the others."""
        if self._change(self._loss, {"$set": {"has_open": True, "until": at}}):
            self.has_open, self.until = True, at

    def dealt_with(self, expires_at: datetime) -> bool:
        """The others that expire by then; False when another process has done so, or more was lost."""
        is_ours = self._change({**self._loss, "after": self.after}, {"$set": {"after": expires_at}})
        self.after = expires_at
        return is_ours

    def made_good(self) -> bool:
        """All of it; whether this call was the one to say so."""
        return self._change(self._loss, {"$unset": dict.fromkeys(OF_A_LOSS, "")})

    @property
    def _loss(self) -> dict[str, datetime]:
        return {"since": self.since, "until": self.until}

    def _with(self, server: str | None) -> list[str]:
        known = [one for one in self.servers if one != server]
        return [*known, *([server] if server else [])][-SERVERS:]

    @staticmethod
    def _change(guard: dict[str, Any], change: dict[str, Any]) -> bool:
        done = RedisSight._get_collection().update_one({"_id": THE_ONE, **guard}, change)
        return bool(done.matched_count)
