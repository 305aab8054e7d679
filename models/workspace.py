"""A tenant: its members, the pages that may use its public API, and its welcome e-mail."""

from __future__ import annotations

import re

from bson import ObjectId
from mongoengine import (
    BooleanField,
    Document,
    EmailField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)


class Member(EmbeddedDocument):
    user_id = ObjectIdField(required=True, default=ObjectId)
    name = StringField(required=True)
    email = EmailField(required=True)
    role = StringField(choices=("viewer", "operator", "admin"), default="operator")
    is_active = BooleanField(default=True)


class WelcomeEmail(EmbeddedDocument):
    """Sent once to each new contact, except imported ones. Texts may use {{contact.firstName}}."""

    account_id = ObjectIdField(required=True)  # the EmailAccount that sends it
    subject = StringField(required=True)
    body = StringField(required=True)


class Workspace(Document):
    name = StringField(required=True)
    members = EmbeddedDocumentListField(Member)
    allowed_origins = ListField(StringField())  # like https://www.acme.test or http://localhost:*
    welcome_email = EmbeddedDocumentField(WelcomeEmail)
    owner_turn = IntField(default=0)  # counts the owners given out; its remainder picks the next

    meta = {"collection": "workspaces", "auto_create_index": False}

    def allows_origin(self, origin: str) -> bool:
        """Whether a page of this origin may use the public API; `*` stands for any port or subdomain."""
        patterns = (re.escape(allowed).replace(r"\*", r"[\w.-]+") for allowed in self.allowed_origins)
        return any(re.fullmatch(pattern, origin, re.IGNORECASE) for pattern in patterns)

    def next_owner(self) -> Member | None:
        """The next active member in turn; None without one. Atomic: two callers never share a turn."""
        active: list[Member] = [member for member in self.members if member.is_active]
        if not active:
            return None
        return active[self._take_turn() % len(active)]

    def _take_turn(self) -> int:
        """Count one turn. Who moves the counter on has the turn; who comes too late looks again."""
        while True:
            turn: int | None = Workspace.objects(id=self.id).as_pymongo().get().get("owner_turn")
            if Workspace.objects(id=self.id, owner_turn=turn).update_one(inc__owner_turn=1):
                return turn or 0
