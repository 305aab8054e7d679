"""A token that lets a program use a workspace's private API. Only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.store import now

PREFIX = "clianta_"  # so that secret scanners and people know what they see
USE_NOTED = timedelta(hours=1)  # one write an hour tells well enough whether a token is in use


class ApiToken(Document):
    workspace_id = ObjectIdField(required=True)
    name = StringField(required=True)  # who or what uses it
    # SHA-256 without salt: a token is 256 random bits, so there is no guessing it from its hash.
    digest = StringField(required=True)
    created_at = DateTimeField(default=now)
    used_at = DateTimeField()
    revoked_at = DateTimeField()

    meta = {
        "collection": "api_tokens",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": [{"fields": ["digest"], "unique": True}, {"fields": ["workspace_id"]}],
    }

    @classmethod
    def create(cls, workspace_id: ObjectId, name: str) -> tuple[ApiToken, str]:
        """A new token; the text that this returns is shown once and stored nowhere."""
        text = PREFIX + secrets.token_urlsafe(32)
        return cls(workspace_id=workspace_id, name=name, digest=_digest(text)).save(), text

    @classmethod
    def of(cls, text: str) -> ApiToken | None:
        """The token with this text, unless it was revoked; notes that it is in use."""
        token: ApiToken | None = cls.objects(digest=_digest(text), revoked_at=None).first()
        if token:
            token._note_use(now())
        return token

    def revoke(self) -> bool:
        """End it; False when it had ended before."""
        return bool(ApiToken.objects(id=self.id, revoked_at=None).update_one(set__revoked_at=now()))

    def _note_use(self, at: datetime) -> None:
        if self.used_at is None or self.used_at < at - USE_NOTED:
            ApiToken.objects(id=self.id).update_one(max__used_at=at)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
