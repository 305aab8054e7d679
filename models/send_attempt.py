"""One try to send one mail, stored before it is sent: a mail is never sent twice.

Kept until the person is erased: a job may come again whenever somebody requeues or replays it, and the
attempt alone tells that its mail is out.
"""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, Document, NotUniqueError, ObjectIdField, StringField

from models.personal import Person, delete
from models.store import now

STATUSES = ("sending", "sent", "refused", "unknown", "unsubscribed", "unreachable")


class SendAttempt(Document):
    workspace_id = ObjectIdField(required=True)
    contact_id = ObjectIdField(required=True)
    account_id = ObjectIdField(required=True)
    key = StringField(required=True)  # unique, like welcome:<contact id>
    message_id = StringField(required=True)  # the mail's Message-ID, to find out what became of it
    # sending: handed to the server, whose answer we do not know (yet)
    # unsubscribed, unreachable: not sent, since the address is suppressed for that reason
    status = StringField(choices=STATUSES, default="sending")
    reason = StringField()
    started_at = DateTimeField(default=now)
    ended_at = DateTimeField()

    meta = {
        "collection": "send_attempts",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["key"], "unique": True},
            {"fields": ["workspace_id", "message_id"]},
            "contact_id",
        ],
    }

    @classmethod
    def begin(cls, key: str, **fields: Any) -> SendAttempt | None:
        """Store the attempt; None when there is one already, whatever became of it."""
        try:
            attempt: SendAttempt = cls(key=key, **fields).save(force_insert=True)
        except NotUniqueError:
            return None
        return attempt

    @classmethod
    def of(cls, key: str) -> SendAttempt:
        found: SendAttempt = cls.objects.get(key=key)
        return found

    def end(self, status: str, reason: str = "") -> None:
        """Whoever made it says what became of it. A known outcome stays; an unknown one may become known."""
        SendAttempt.objects(id=self.id, status__in=["sending", "unknown"]).update_one(
            set__status=status, set__reason=reason, set__ended_at=now()
        )

    @classmethod
    def in_doubt(cls, workspace_id: ObjectId, message_ids: list[str]) -> list[str]:
        """The keys of those of these mails of which nobody has said whether they were sent. One query."""
        doubtful = {"message_id__in": message_ids, "status__in": ["sending", "unknown"]}
        return list(cls.objects(workspace_id=workspace_id, **doubtful).scalar("key"))

    @classmethod
    def settle_sent(cls, workspace_id: ObjectId, message_ids: list[str]) -> None:
        """Their mails were seen in Sent, so they were sent, whatever was known before."""
        cls.objects(
            workspace_id=workspace_id, message_id__in=message_ids, status__in=["sending", "unknown"]
        ).update(set__status="sent", set__ended_at=now(), unset__reason=True)

    def give_up(self) -> None:
        """Nobody is at it any more, so nobody will say what became of it."""
        SendAttempt.objects(id=self.id, status="sending").update_one(
            set__status="unknown", set__ended_at=now()
        )

    def take_back(self) -> None:
        """Whoever made it knows that the server took nothing: forget it, so that it can be made again.

        Also when others have given it up. The next attempt has an id of its own, so it is safe from this one.
        """
        SendAttempt.objects(id=self.id, status__in=["sending", "unknown"]).delete()

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete what is about the person; returns how many documents."""
        return delete(cls, {"contact_id": person.contact_id})
