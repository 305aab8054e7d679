"""A browser that visits a workspace's pages: who is behind it, and whether it may be tracked."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from bson import ObjectId
from mongoengine import BooleanField, DateTimeField, Document, ObjectIdField, Q, StringField
from pymongo.errors import DuplicateKeyError

from models.personal import Person
from models.store import now


def visitor_key(workspace_id: ObjectId, visitor_id: str) -> str:
    """The stored id of a workspace's visitor."""
    return f"{workspace_id}:{visitor_id}"


class Visitor(Document):
    """Stored from when it is identified or answers the question for consent."""

    id = StringField(primary_key=True)
    contact_id = ObjectIdField()  # None: not identified
    untold = ObjectIdField()  # of this identification alone; absent once it is published
    consent = BooleanField()  # None: it was not asked, or did not answer
    consent_at = DateTimeField()
    erased_for = ObjectIdField()  # the erased contact that it was; absent once nothing of that is under way
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "visitors",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            *(
                {"fields": [name], "partialFilterExpression": {name: {"$exists": True}}}
                for name in ("contact_id", "erased_for")
            ),
        ],
    }

    @property
    def given_id(self) -> str:
        """The visitor's id as its browser sends it."""
        return str(self.id.partition(":")[2])

    @classmethod
    def identify(
        cls, workspace_id: ObjectId, visitor_id: str, contact_id: ObjectId, *, needs_consent: bool = False
    ) -> Visitor | None:
        """The visitor is this contact from now on; None when it may not be tracked.

        Each time that it was another one before, `untold` is new.
        With `needs_consent` only one who has agreed, else whoever has not refused: a guard in the filter, so
        that a refusal at the same moment counts. Of two identifications at the same moment one wins, and the
        other may get None. Safe to run twice.
        """
        key = visitor_key(workspace_id, visitor_id)
        consent: Any = True if needs_consent else {"$ne": False}
        change = {
            "$set": {"contact_id": contact_id, "untold": ObjectId()},
            "$setOnInsert": {"created_at": now()},
        }
        with suppress(DuplicateKeyError):  # it is this contact, has refused, or somebody was faster
            cls._get_collection().update_one(
                {"_id": key, "consent": consent, "contact_id": {"$ne": contact_id}},
                change,
                upsert=not needs_consent,
            )
        found: Visitor | None = cls.objects(id=key, contact_id=contact_id).first()
        return found

    def counted(self) -> None:
        """This identification is published. Safe to run twice, and late: a later one stays to be told."""
        Visitor.objects(id=self.id, untold=self.untold).update_one(unset__untold=True)

    @classmethod
    def decide(cls, workspace_id: ObjectId, visitor_id: str, agrees: bool) -> None:
        """Keep the visitor's answer. One who refuses is nobody's visitor any more. Safe to run twice."""
        change: dict[str, Any] = {
            "$set": {"consent": agrees, "consent_at": now()},
            "$setOnInsert": {"created_at": now()},
        }
        if not agrees:
            change["$unset"] = {"contact_id": "", "untold": ""}
        mine = {"_id": visitor_key(workspace_id, visitor_id)}
        try:
            cls._get_collection().update_one(mine, change, upsert=True)
        except DuplicateKeyError:  # it was stored at this very moment
            cls._get_collection().update_one(mine, change)

    @classmethod
    def consents(cls, keys: Iterable[str]) -> dict[str, bool]:
        """The answers of those visitors that gave one, by `visitor_key`. One query."""
        asked = {"_id": {"$in": list(keys)}, "consent": {"$in": [True, False]}}
        return {row["_id"]: row["consent"] for row in cls._get_collection().find(asked, {"consent": 1})}

    @classmethod
    def known(cls, keys: Iterable[str]) -> dict[str, Visitor]:
        """Those of the visitors that are stored, by `visitor_key`. One query."""
        return {visitor.id: visitor for visitor in cls.objects(id__in=list(keys))}

    @classmethod
    def ids_of(cls, contact_id: ObjectId) -> list[str]:
        """The visitors of a contact, also of an erased one, by the ids that their browsers send."""
        hers = Q(contact_id=contact_id) | Q(erased_for=contact_id)
        return [visitor.given_id for visitor in cls.objects(hers).only("id")]

    @classmethod
    def erase(cls, person: Person) -> int:
        """They are nobody's, their answers are gone, and they are not tracked; returns how many they are.

        So what they did, and is on its way to the store, is dropped there as if they had refused. `forget`
        deletes them.
        """
        mark = {"$set": {"erased_for": person.contact_id, "consent": False}}
        gone = {"$unset": {"contact_id": "", "untold": "", "consent_at": ""}}
        mine = {"contact_id": person.contact_id}
        return int(cls._get_collection().update_many(mine, mark | gone).modified_count)

    @classmethod
    def forget(cls, contact_id: ObjectId) -> None:
        """Nothing of the erased contact is under way: its visitors go, save what they answered since."""
        mine = {"erased_for": contact_id}
        cls._get_collection().delete_many({**mine, "contact_id": None, "consent_at": None})
        cls._get_collection().update_many(mine, {"$unset": {"erased_for": ""}})
