"""A tenant: its members, the pages that may use its public API, and its welcome e-mail."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, available_timezones

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
    ValidationError,
)

ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/:?#@*\[\]]{1,253})(:\d{1,5})?")


def origin_patterns(origin: str) -> list[str]:
    """All entries of an allow-list that would admit this origin; none when it is not an origin.

    That is the origin itself, and with `*` for the port (`http://localhost:*`) or for what stands before the
    domain (`https://*.acme.test`). Spelt out, so that an index answers who admits it.
    """
    match = ORIGIN.fullmatch(origin.lower())
    if not match:
        return []
    scheme, host, port = match.groups(default="")
    labels = host.split(".")
    hosts = [host, *("*." + ".".join(labels[place:]) for place in range(1, len(labels)))]
    return [f"{scheme}://{name}{end}" for name in hosts for end in (port, ":*")]


def normal_origin(origin: str) -> str:
    """As browsers send it: lower case, without a slash at the end."""
    return origin.strip().lower().rstrip("/")


class Member(EmbeddedDocument):
    user_id = ObjectIdField(required=True, default=ObjectId)
    name = StringField(required=True)
    email = EmailField(required=True)
    role = StringField(choices=("viewer", "operator", "admin"), default="operator")
    is_active = BooleanField(default=True)

    meta = {"strict": False}


class WelcomeEmail(EmbeddedDocument):
    """Sent once to each new contact, except imported ones. Texts may use {{contact.firstName}}."""

    account_id = ObjectIdField(required=True)  # the EmailAccount that sends it
    subject = StringField(required=True)
    body = StringField(required=True)

    meta = {"strict": False}


class Workspace(Document):
    name = StringField(required=True)
    members = EmbeddedDocumentListField(Member)
    allowed_origins = ListField(StringField())  # like https://www.acme.test or http://localhost:*
    needs_consent = BooleanField(default=False)  # true: only visitors who agreed are tracked
    has_refusals = BooleanField()  # true: a visitor has refused to be tracked, so each is looked up
    welcome_email = EmbeddedDocumentField(WelcomeEmail)
    time_zone = StringField()  # like Europe/Berlin: its "daily at 9" is 9 there; None: as the cron table says
    owner_turn = IntField(default=0)  # counts the owners given out; its remainder picks the next

    meta = {
        "collection": "workspaces",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": ["allowed_origins", {"fields": ["time_zone"], "sparse": True}],
    }

    def clean(self) -> None:
        """Runs before each save."""
        if self.time_zone and self.time_zone not in available_timezones():
            raise ValidationError(f"time_zone: {self.time_zone!r} is none; use one like Europe/Berlin")
        self.allowed_origins = [normal_origin(origin) for origin in self.allowed_origins]

    def allows_origin(self, origin: str) -> bool:
        """Whether a page of this origin may use the public API."""
        return not set(origin_patterns(origin)).isdisjoint(self.allowed_origins)

    @classmethod
    def any_allows(cls, origin: str) -> bool:
        """Whether a page of this origin may use the public API of some workspace. One indexed query."""
        patterns = origin_patterns(origin)
        return bool(patterns and cls.objects(allowed_origins__in=patterns).only("id").first())

    @classmethod
    def note_refusal(cls, workspace_id: ObjectId) -> bool:
        """A visitor refuses to be tracked; returns whether it is the first of the workspace who does."""
        first = cls.objects(id=workspace_id, has_refusals__ne=True)
        return bool(first.update_one(set__has_refusals=True))

    @classmethod
    def zones(cls) -> dict[ObjectId, ZoneInfo]:
        """The time zones of the workspaces that have one. One indexed query."""
        rows = cls._get_collection().find({"time_zone": {"$gt": ""}}, {"time_zone": 1})
        known = available_timezones()
        return {row["_id"]: ZoneInfo(row["time_zone"]) for row in rows if row["time_zone"] in known}

    @classmethod
    def has_member(cls, workspace_id: ObjectId, user_id: ObjectId) -> bool:
        """Whether the user is an active member. One query."""
        active = {"members": {"$elemMatch": {"user_id": user_id, "is_active": {"$ne": False}}}}
        return cls.objects(id=workspace_id, __raw__=active).only("id").first() is not None

    def member(self, user_id: ObjectId) -> Member | None:
        return next((member for member in self.members if member.user_id == user_id), None)

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
