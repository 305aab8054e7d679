"""A person in the CRM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import bson
from bson import ObjectId
from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocumentField,
    IntField,
    ListField,
    NotUniqueError,
    ObjectIdField,
    StringField,
)
from pymongo import UpdateOne

from models import lifecycle
from models.enrichment import Enrichment
from models.intent import Intent
from models.lifecycle import MARKED, Lifecycle
from models.personal import Person, delete
from models.recycling import Recycling
from models.store import now

CUSTOM_FIELDS_SIZE = 262_144  # bytes of one contact's; they only ever grow, and the store ends at 16 MB
MOST_TAGS = 500  # of one contact
CHANGE_KEYS = 50  # latest changes that a contact remembers; one is repeated within a minute, or by a person
STATUSES = ("lead", "contact", "customer", "lost", "unqualified", "recycled")
STAGES = ("subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist")


class ContactFull(Exception):
    """The contact has no room for more: somebody must take custom fields or tags away first."""

    permanent = True

    def __init__(self) -> None:
        super().__init__(
            "customFields, tags: the contact would hold more than "
            f"{CUSTOM_FIELDS_SIZE} bytes or {MOST_TAGS} tags"
        )


def _value(name: str, given: Any, *, overwrite: bool) -> Any:
    """A field's next value as an expression over the stored one; equal to it when nothing changes."""
    literal = {"$literal": given}  # a value that begins with $ is text, not a field's name
    if name == "tags":
        known = {"$ifNull": ["$tags", []]}
        return {"$concatArrays": [known, {"$setDifference": [literal, known]}]}
    if name == "custom_fields":  # the stored ones first: they keep their order
        parts = ["$custom_fields", literal]
        return {"$mergeObjects": parts if overwrite else [*parts, "$custom_fields"]}
    return literal if overwrite else {"$ifNull": [f"${name}", literal]}


def _update(fields: dict[str, Any], *, overwrite: bool, announce: bool) -> list[dict[str, Any]]:
    """An update pipeline: it sees the stored values, so nothing is loaded first.

    What changes nothing leaves the contact as it is, `updated_at` included.
    """
    values = {name: _value(name, given, overwrite=overwrite) for name, given in fields.items()}
    empty: dict[str, Any] = {"tags": [], "custom_fields": {}}
    changed = {
        name: {"$ne": [value, {"$ifNull": [f"${name}", {"$literal": empty.get(name)}]}]}
        for name, value in values.items()
    }
    extra: dict[str, Any] = {"updated_at": {"$cond": [{"$or": [*changed.values()]}, now(), "$updated_at"]}}
    if "status" in changed:
        moment, yes = now(), changed["status"]
        noted = {"status": {"$literal": fields["status"]}, "at": moment}
        extra["status_changed_at"] = {"$cond": [yes, moment, "$status_changed_at"]}
        extra["status_noted"] = {"$cond": [yes, noted, "$status_noted"]}
    if announce:
        names = [{"$cond": [yes, {"$literal": [name]}, []]} for name, yes in changed.items()]
        extra["unannounced"] = {"$setUnion": [{"$ifNull": ["$unannounced", []]}, *names]}
    return [{"$set": values | extra}]


def _room(fields: dict[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """A filter that lets through who has room for these fields."""
    limits: list[dict[str, Any]] = []
    if "custom_fields" in fields:
        merged = _value("custom_fields", fields["custom_fields"], overwrite=overwrite)
        limits.append({"$lte": [{"$bsonSize": merged}, CUSTOM_FIELDS_SIZE]})
    if "tags" in fields:
        limits.append({"$lte": [{"$size": _value("tags", fields["tags"], overwrite=overwrite)}, MOST_TAGS]})
    return {"$expr": {"$and": limits}} if limits else {}


class Contact(Document):
    workspace_id = ObjectIdField(required=True)
    email = StringField(required=True)  # lower case, unique in its workspace
    first_name = StringField()
    last_name = StringField()
    company = StringField()
    company_id = ObjectIdField()
    job_title = StringField()
    phone = StringField()
    status = StringField(choices=STATUSES, default="lead")
    status_changed_at = DateTimeField()
    status_noted = (
        DictField()
    )  # `status` that was reached `at` that moment: what differs, another program changed
    lifecycle_stage = StringField(choices=STAGES, default="lead")
    manual_override = BooleanField()  # true: people alone decide on its stage
    lifecycle = EmbeddedDocumentField(Lifecycle)
    source = StringField()
    tags = ListField(StringField())
    custom_fields = DictField()
    lead_score = IntField()
    lead_grade = StringField(choices=("A", "B", "C", "D"))
    lead_score_reasons = ListField(StringField())
    lead_score_version = IntField()  # of the rules that it was scored by
    intent_score = IntField()  # the sum of its signals; both are changed together, in `contact_intent` only
    intent = EmbeddedDocumentField(Intent)
    enriched_at = DateTimeField()  # when it was last looked up, found or not
    enrichment = EmbeddedDocumentField(Enrichment)
    assigned_to = ObjectIdField()
    owner_occasion = StringField()  # what gave it its first owner, like `event:<id>`
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)
    last_activity_at = DateTimeField()
    last_interest_at = DateTimeField()  # of its own signals: visits, opens, clicks, forms
    recycling = EmbeddedDocumentField(Recycling)  # until all that follows is done
    # What still has to be published, so that a crash in between loses no event: `created:<source>` and the
    # stored names of changed fields.
    unannounced = ListField(StringField())
    change_keys = ListField(StringField())  # of the latest changes that must happen once, see `change_once`

    meta = {
        "collection": "contacts",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["workspace_id", "email"], "unique": True},
            {"fields": ["company_id"], "sparse": True},
            ["workspace_id", "enriched_at", "_id"],  # who is due to be enriched
            ["workspace_id", "intent.due_at"],  # ranges of what decays
            {"fields": ["intent.unannounced.batch"], "sparse": True},  # the few that crossed a level
            ["status", "last_interest_at"],  # who is lost and shows interest again
            {"fields": ["recycling.batch"], "sparse": True},  # the few of whom something is yet to follow
            {"fields": MARKED, "sparse": True},  # the few that may have a step to take
        ],
    }

    @classmethod
    def upsert(
        cls,
        workspace_id: ObjectId,
        email: str,
        fields: dict[str, Any],
        *,
        overwrite: bool = True,
        announce_as: str | None = None,
    ) -> tuple[Contact, bool]:
        """Create the contact, or update the one with this e-mail; returns it and whether it is new.

        `fields` by their stored names; None means not given. With `overwrite` false only empty fields are
        filled. Tags are added, never removed. With `announce_as`, the source of a new contact, what this
        call did is noted in `unannounced` until `announced()`.
        Raises `ContactFull`, with nothing changed, when custom fields or tags become too many.
        Safe to run twice and at the same time: the e-mail is unique in its workspace.
        """
        key = {"workspace_id": workspace_id, "email": email.strip().lower()}
        given = {name: value for name, value in fields.items() if value is not None}
        guarded = key | _room(given, overwrite=overwrite)
        update = _update(given, overwrite=overwrite, announce=announce_as is not None)
        if not cls._get_collection().update_one(guarded, update).matched_count:
            if announce_as:
                given = {"source": announce_as, **given, "unannounced": [f"created:{announce_as}"]}
            try:
                return cls(**key, **given).save(force_insert=True), True
            except NotUniqueError:  # it is full, or somebody was faster: then it is an update
                if not cls._get_collection().update_one(guarded, update).matched_count:
                    raise ContactFull from None
        return cls.objects.get(**key), False

    @classmethod
    def amend(
        cls, workspace_id: ObjectId, contact_id: ObjectId, fields: dict[str, Any], *, email: str | None = None
    ) -> Contact | None:
        """Overwrite fields of one contact, as `upsert` does; None when there is none of this id and e-mail.

        What changed is noted in `unannounced`. Raises `ContactFull`. Safe to run twice.
        """
        key: dict[str, Any] = {"_id": contact_id, "workspace_id": workspace_id}
        if email:
            key["email"] = email.strip().lower()
        given = {name: value for name, value in fields.items() if value is not None}
        guarded = key | _room(given, overwrite=True)
        found = cls._get_collection().update_one(guarded, _update(given, overwrite=True, announce=True))
        contact: Contact | None = cls.objects(__raw__=key).first()
        if contact and not found.matched_count:
            raise ContactFull
        return contact

    @property
    def full_name(self) -> str:
        """As people call it: by its name, else by its e-mail."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or str(self.email)

    def clean(self) -> None:
        """Runs before each save."""
        size = len(bson.encode(dict(self.custom_fields)))
        if size > CUSTOM_FIELDS_SIZE or len(self.tags) > MOST_TAGS:
            raise ContactFull
        if self._created or "status" in self._get_changed_fields():
            self.status_changed_at = (self._created and self.status_changed_at) or now()
            self.status_noted = {"status": self.status, "at": self.status_changed_at}

    def would_change(
        self, fields: Mapping[str, Any], add_tags: list[str], remove_tags: list[str]
    ) -> list[str]:
        """The stored names of what `change_once` would give another value."""
        tags = set(self.tags)
        changed = [name for name, value in fields.items() if name != "custom_fields" and self[name] != value]
        custom = fields.get("custom_fields", {})
        if any(name not in self.custom_fields or self.custom_fields[name] != custom[name] for name in custom):
            changed.append("custom_fields")
        if (tags | set(add_tags)) - set(remove_tags) != tags:
            changed.append("tags")
        return changed

    def change_once(
        self, key: str, fields: Mapping[str, Any], add_tags: list[str], remove_tags: list[str]
    ) -> bool:
        """Set fields, merge custom fields, add and then remove tags, unless this key did so before.

        Returns whether this call did. Raises `ContactFull`, with nothing changed. Safe to run twice: the
        contact remembers the latest keys.
        """
        given = {**fields, **({"tags": add_tags} if add_tags else {})}
        keys = {"$concatArrays": [{"$ifNull": ["$change_keys", []]}, [{"$literal": key}]]}
        kept = {
            "$filter": {
                "input": {"$ifNull": ["$tags", []]},
                "cond": {"$not": {"$in": ["$$this", {"$literal": remove_tags}]}},
            }
        }
        last = {"tags": kept, "change_keys": {"$slice": [keys, -CHANGE_KEYS]}, "updated_at": now()}
        guard = {"_id": self.id, "change_keys": {"$ne": key}}
        change = [*(_update(given, overwrite=True, announce=False) if given else []), {"$set": last}]
        if self._get_collection().update_one(guard | _room(given, overwrite=True), change).matched_count:
            return True
        if Contact.objects(__raw__=guard).only("id").first():
            raise ContactFull
        return False

    def announced(self) -> None:
        """Clear what this copy had to announce, unless more has come since. Safe to run twice."""
        guard = {"_id": self.id, "unannounced": list(self.unannounced)}
        Contact._get_collection().update_one(guard, {"$unset": {"unannounced": ""}})

    def assign(self, owner_id: ObjectId, occasion: str) -> bool:
        """Give the contact an owner unless it has one; returns whether this call did."""
        change = {"set__assigned_to": owner_id, "set__owner_occasion": occasion}
        return bool(Contact.objects(id=self.id, assigned_to=None).update_one(**change))

    @classmethod
    def of_company(cls, workspace_id: ObjectId, company_id: ObjectId) -> list[ObjectId]:
        """The contacts that work there now."""
        return list(cls.objects(workspace_id=workspace_id, company_id=company_id).scalar("id"))

    def record_score(self, score: int, grade: str, reasons: list[str], version: int) -> None:
        """Another grade may make a step along the lifecycle due, and is marked by the same write."""
        known = {"lead_score": score, "lead_score_reasons": reasons, "lead_score_version": version}
        marked = {"lead_grade": grade, **lifecycle.marked(self.workspace_id, self.id)}
        another = UpdateOne({"_id": self.id, "lead_grade": {"$ne": grade}}, {"$set": marked})
        self._get_collection().bulk_write([UpdateOne({"_id": self.id}, {"$set": known}), another])

    @classmethod
    def touch(cls, workspace_id: ObjectId, stamps: Mapping[ObjectId, datetime]) -> None:
        """Move the last-activity stamps of the workspace's contacts forward, never backwards. One command."""
        updates = [
            UpdateOne({"_id": contact, "workspace_id": workspace_id}, {"$max": {"last_activity_at": at}})
            for contact, at in stamps.items()
        ]
        if updates:
            cls._get_collection().bulk_write(updates, ordered=False)

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete the contact itself; returns 1, or 0 when it is gone."""
        return delete(cls, {"_id": person.contact_id, "workspace_id": person.workspace_id})
