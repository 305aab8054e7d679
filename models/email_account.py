"""A mailbox that is synced: how to reach it, how far each folder was read, and whether it works."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

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
POISON_AFTER = 3  # failed fetches after which a message is left out


class MailServer(EmbeddedDocument):
    host = StringField(required=True)
    port = IntField(required=True)
    username = StringField(required=True)
    password = EncryptedStringField(required=True)
    security = StringField(choices=("ssl", "starttls", "plain"), default="ssl")


class FolderPosition(EmbeddedDocument):
    """How far a folder was read (RFC 3501)."""

    name = StringField(required=True)
    uid_validity = IntField(required=True)
    last_uid = IntField(required=True)
    mod_seq = IntField()


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
    failing_folder = StringField()  # the message that broke the last fetch, and how often it did
    failing_uid = IntField()
    failing_count = IntField(default=0)
    poisoned = ListField(StringField())  # "folder uidvalidity uid" of the messages that are left out
    failures = IntField(default=0)  # syncs in a row that failed
    next_sync_at = DateTimeField(default=now)
    synced_at = DateTimeField()

    meta = {
        "collection": "email_accounts",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["workspace_id", "address"], "unique": True},
            {"fields": ["status", "next_sync_at"]},
        ],
    }

    @classmethod
    def due(cls, moment: datetime, limit: int) -> list[ObjectId]:
        """Ids of the mailboxes of all workspaces that are to be synced, the longest waiting first."""
        due = cls.objects(status="active", next_sync_at__lte=moment).order_by("next_sync_at").limit(limit)
        return list(due.scalar("id"))

    @classmethod
    def addresses_of(cls, workspace_id: ObjectId) -> set[str]:
        """Every address of the workspace's own mailboxes, in lower case."""
        accounts = cls.objects(workspace_id=workspace_id).only("address", "aliases")
        return {address.lower() for account in accounts for address in (account.address, *account.aliases)}

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

    def mark_synced(self, moment: datetime) -> None:
        """The sync went through: due again at the next tick, all failures forgotten."""
        EmailAccount.objects(id=self.id).update_one(
            set__synced_at=moment, set__next_sync_at=moment, set__failures=0, set__failing_count=0
        )

    def mark_unavailable(self, moment: datetime, reason: str) -> None:
        """Not reachable: leave it alone for a while, longer after each failure in a row."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures, 10))
        EmailAccount.objects(id=self.id).update_one(
            inc__failures=1, set__next_sync_at=moment + pause, set__status_reason=reason
        )

    def lock(self, reason: str) -> bool:
        """Stop syncing until a person acts; whether this call did, so that the owner is told once."""
        locked = EmailAccount.objects(id=self.id, status="active").update_one(
            set__status="locked", set__status_reason=reason
        )
        return bool(locked)

    def note_failed_fetch(self, folder: str, uid_validity: int, uid: int) -> bool:
        """Count a message that cannot be fetched; whether it is poison now, and will be left out."""
        is_again = (self.failing_folder, self.failing_uid) == (folder, uid)
        count = self.failing_count + 1 if is_again else 1
        changes = {"failing_folder": folder, "failing_uid": uid, "failing_count": count}
        if count < POISON_AFTER:
            EmailAccount.objects(id=self.id).update_one(**{f"set__{k}": v for k, v in changes.items()})
            return False
        poison = f"{folder} {uid_validity} {uid}"
        EmailAccount.objects(id=self.id).update_one(add_to_set__poisoned=poison, set__failing_count=0)
        return True

    def left_out(self, folder: str, uid_validity: int) -> set[int]:
        """UIDs of a folder that are poison."""
        prefix = f"{folder} {uid_validity} "
        return {int(entry.removeprefix(prefix)) for entry in self.poisoned if entry.startswith(prefix)}
