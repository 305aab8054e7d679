"""Addresses that a workspace sends no more mail to: of who unsubscribed, and of who cannot be reached.

Kept by a digest, never by the address itself, so that they outlive the contact and its erasure: an import
that brings the person back must not bring the mail back. Remembering an objection is what the law asks for
(GDPR, articles 17(3)(b) and 21(3)), and the digest serves nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField
from pymongo import UpdateOne

from models.store import now

Reason = Literal["unsubscribed", "unreachable"]

WEAKER: dict[Reason, list[Reason]] = {"unsubscribed": ["unreachable"], "unreachable": []}


class Suppression(Document):
    """Its id is a digest of workspace and address: there is one of them."""

    id = StringField(primary_key=True)
    workspace_id = ObjectIdField(required=True)
    reason = StringField(choices=("unsubscribed", "unreachable"), required=True)
    since = DateTimeField(required=True)
    lifted_at = DateTimeField()  # when somebody allowed mail again; None: it holds

    meta = {
        "collection": "suppressions",
        "auto_create_index": False,
        "strict": False,
        "personal_data": "none",  # a digest; see above why it stays
        "indexes": ["workspace_id"],
    }

    @classmethod
    def add(cls, workspace_id: ObjectId, emails: Iterable[str], reason: Reason, at: datetime) -> None:
        """Suppress the addresses, with one store command.

        Safe to run twice: what was lifted after `at` stays lifted, and who unsubscribed stays that.
        """
        row = {"workspace_id": workspace_id, "reason": reason, "since": at}
        again = {"$set": {"reason": reason, "since": at}, "$unset": {"lifted_at": ""}}
        is_news = [{"lifted_at": {"$lt": at}}, {"lifted_at": None, "reason": {"$in": WEAKER[reason]}}]
        writes = [
            write
            for digest in sorted({_digest(workspace_id, email) for email in emails})
            for write in (
                UpdateOne({"_id": digest}, {"$setOnInsert": row}, upsert=True),
                UpdateOne({"_id": digest, "$or": is_news}, again),
            )
        ]
        if writes:
            cls._get_collection().bulk_write(writes)

    @classmethod
    def among(cls, workspace_id: ObjectId, emails: Iterable[str]) -> dict[str, Reason]:
        """Those of the addresses that must get no mail, and why. One query by id, whatever their number."""
        digests = {email: _digest(workspace_id, email) for email in emails}
        found = cls.objects(id__in=list(digests.values()), lifted_at=None).scalar("id", "reason")
        reasons: dict[str, Reason] = dict(found)
        return {email: reasons[digest] for email, digest in digests.items() if digest in reasons}

    @classmethod
    def of(cls, workspace_id: ObjectId, email: str) -> Suppression | None:
        """What holds for one address; None: mail is allowed."""
        found: Suppression | None = cls.objects(id=_digest(workspace_id, email), lifted_at=None).first()
        return found

    @classmethod
    def lift(cls, workspace_id: ObjectId, email: str) -> bool:
        """Allow mail again, as the person asked for; returns whether it was suppressed."""
        found = cls.objects(id=_digest(workspace_id, email), lifted_at=None)
        return bool(found.update_one(set__lifted_at=now()))


def _digest(workspace_id: ObjectId, email: str) -> str:
    """Another one in each workspace, so that no workspace can be compared with another."""
    return hashlib.sha256(f"{workspace_id}:{email.strip().lower()}".encode()).hexdigest()
