"""A mailbox that is synced: how to reach it, how far each folder was read, and whether it works."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from models.fields import EncryptedStringField
from models.store import now

FIRST_PAUSE = timedelta(minutes=5)  # after a failure, doubled by each one more
LONGEST_PAUSE = timedelta(hours=4)
POISON_AFTER = 3  # failed tries after which a message is left out


class MailServer(EmbeddedDocument):
    host = StringField(required=True)
    port = IntField(required=True)
    username = StringField(required=True)
    password = EncryptedStringField(required=True)
    security = StringField(choices=("ssl", "starttls", "plain"), default="ssl")

    meta = {"strict": False}


class FolderPosition(EmbeddedDocument):
    """How far a folder was read (RFC 3501)."""

    name = StringField(required=True)
    uid_validity = IntField(required=True)
    last_uid = IntField(required=True)
    mod_seq = IntField()

    meta = {"strict": False}


class MessagePlace(EmbeddedDocument):
    """One message of a folder. Its UID means nothing under another UIDVALIDITY."""

    folder = StringField(required=True)
    uid_validity = IntField(required=True)
    uid = IntField(required=True)

    meta = {"strict": False}


class DueMailbox(NamedTuple):
    id: ObjectId
    workspace_id: ObjectId
    is_proven: bool  # its last sync went through


class EmailAccount(Document):
    workspace_id = ObjectIdField(required=True)
    user_id = ObjectIdField(required=True)  # the member whose mailbox it is
    address = StringField(required=True)
    aliases = ListField(StringField())
    imap = EmbeddedDocumentField(MailServer, required=True)
    smtp = EmbeddedDocumentField(MailServer)
    status = StringField(choices=("active", "locked", "disabled"), default="active")
    status_reason = StringField()
    folders = EmbeddedDocumentListField(FolderPosition)
    failing = EmbeddedDocumentField(MessagePlace)  # the message that broke the last sync, and how often
    failing_count = IntField(default=0)
    left_out = EmbeddedDocumentListField(MessagePlace)  # messages that broke it too often
    failures = IntField(default=0)  # syncs in a row that failed
    next_sync_at = DateTimeField(default=now)
    synced_at = DateTimeField()
    locks = IntField(default=0)  # how often it was locked: names the episode that its owner is told of

    meta = {
        "collection": "email_accounts",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": [
            {"fields": ["workspace_id", "address"], "unique": True},
            {"fields": ["status", "next_sync_at"]},
        ],
    }

    def clean(self) -> None:
        """Addresses in lower case, as they are compared. Runs before each save."""
        self.address = self.address.strip().lower()
        self.aliases = [alias.strip().lower() for alias in self.aliases]

    @classmethod
    def due(cls, moment: datetime, limit: int) -> list[DueMailbox]:
        """The mailboxes to be synced; the longest waiting first."""
        due = cls.objects(status="active", next_sync_at__lte=moment).order_by("next_sync_at").limit(limit)
        rows = due.scalar("id", "workspace_id", "synced_at", "failures")
        return [
            DueMailbox(mailbox, workspace, synced_at is not None and not failures)
            for mailbox, workspace, synced_at, failures in rows
        ]

    @classmethod
    def addresses_of(cls, workspace_id: ObjectId) -> set[str]:
        """Every address of the workspace's own mailboxes, in lower case."""
        accounts = cls.objects(workspace_id=workspace_id).only("address", "aliases")
        return {address for account in accounts for address in (account.address, *account.aliases)}

    @classmethod
    def sender_of(cls, workspace_id: ObjectId, user_id: ObjectId) -> ObjectId | None:
        """A mailbox of the member that can send."""
        mine = cls.objects(workspace_id=workspace_id, user_id=user_id, status="active", smtp__ne=None)
        found = mine.only("id").order_by("address").first()
        return found.id if found else None

    def position(self, folder: str) -> FolderPosition | None:
        return next((position for position in self.folders if position.name == folder), None)

    def advance(self, new: FolderPosition) -> bool:
        """Move a folder's position; False when another sync has moved it since this account was loaded."""
        old = self.position(new.name)
        if old == new:
            return True
        if old is None:
            key: dict[str, Any] = {"_id": self.id, "folders.name": {"$ne": new.name}}
            change: dict[str, Any] = {"$push": {"folders": new.to_mongo()}}
        else:
            key = {"_id": self.id, "folders": {"$elemMatch": old.to_mongo().to_dict()}}
            change = {"$set": {"folders.$": new.to_mongo()}}
        moved = bool(EmailAccount._get_collection().update_one(key, change).modified_count)
        if moved:
            self.folders = [position for position in self.folders if position.name != new.name] + [new]
        return moved

    def forget_position(self, folder: str) -> None:
        """Drop a position that makes no sense: the folder is read anew, which stores nothing twice."""
        EmailAccount.objects(id=self.id).update_one(pull__folders__name=folder)
        self.folders = [position for position in self.folders if position.name != folder]

    def mark_synced(self, moment: datetime) -> None:
        """The sync went through: due again at the next tick, all failures forgotten."""
        EmailAccount.objects(id=self.id, status="active").update_one(
            set__synced_at=moment,
            set__next_sync_at=moment,
            set__failures=0,
            set__failing_count=0,
            unset__status_reason=True,
        )

    def pause(self, moment: datetime, reason: str, *, grows: bool = True) -> None:
        """It failed: leave it alone for a while; with `grows`, longer after each failure in a row."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures, 10)) if grows else FIRST_PAUSE
        EmailAccount.objects(id=self.id, status="active").update_one(
            inc__failures=1, set__next_sync_at=moment + pause, set__status_reason=reason
        )
        self.failures += 1

    def lock(self, reason: str) -> bool:
        """Stop syncing until a person acts; returns whether this call did."""
        locked = EmailAccount.objects(id=self.id, status="active").update_one(
            set__status="locked", set__status_reason=reason, inc__locks=1
        )
        return bool(locked)

    def unlock(self) -> bool:
        """Use it again, from the next tick on; returns whether it was locked."""
        unlocked = EmailAccount.objects(id=self.id, status="locked").update_one(
            set__status="active", set__failures=0, set__next_sync_at=now(), unset__status_reason=True
        )
        return bool(unlocked)

    def store_password(self, password: str) -> None:
        """A new password, for reading and, where the user name is the same, for sending."""
        self.imap.password = password
        if self.smtp and self.smtp.username == self.imap.username:
            self.smtp.password = password
        self.save()

    def is_failing_in(self, folder: str) -> bool:
        """Whether a message of the folder broke the last sync."""
        return bool(self.failing_count) and bool(self.failing.folder == folder)

    def note_failure(self, message: MessagePlace) -> bool:
        """Count a message that cannot be fetched or taken in; whether it is left out from now on."""
        is_again = message == self.failing
        self.failing_count = self.failing_count + 1 if is_again else 1
        self.failing = message
        stored = message.to_mongo().to_dict()
        update: dict[str, Any] = {"$set": {"failing": stored, "failing_count": self.failing_count}}
        is_poison = bool(self.failing_count >= POISON_AFTER)
        if is_poison:
            update = {"$set": {"failing_count": 0}, "$addToSet": {"left_out": stored}}
            self.failing_count = 0
            self.left_out = [*self.left_out, message]
        EmailAccount._get_collection().update_one({"_id": self.id}, update)
        return is_poison

    def left_out_of(self, folder: str) -> set[tuple[int, int]]:
        """UIDVALIDITY and UID of the folder's messages that are left out."""
        return {(place.uid_validity, place.uid) for place in self.left_out if place.folder == folder}
