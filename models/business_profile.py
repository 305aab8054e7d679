"""How a workspace does business: where its automations differ from the defaults.

Each section is one of the `Rules` of schemas/rules.py, validated when saved and again when read, since other
programs write to the store too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, NotUniqueError, ObjectIdField
from pydantic import ValidationError
from pymongo import UpdateOne

from models.notification import Notification
from models.store import LEAST, now
from schemas.rules import LifecycleRules, Rules

RulesT = TypeVar("RulesT", bound=Rules)


class InvalidRules(ValueError):
    """A section of a BusinessProfile is not as it must be; the message names each bad field."""

    permanent = True


def sections() -> dict[str, type[Rules]]:
    """The sections that there are, by name."""
    return {kind.section: kind for kind in Rules.__subclasses__()}


class BusinessProfile(Document):
    """Its id is that of the workspace."""

    id = ObjectIdField(primary_key=True)
    rules = DictField()  # section -> what differs from the defaults
    recheck = ObjectIdField()  # of a change by which a contact's next step may be due, until all are marked
    applied = DictField()  # section -> the rules that records were last planned by, where they are
    updated_at = DateTimeField(default=now)

    meta = {
        "collection": "business_profiles",
        "auto_create_index": False,
        "strict": False,
        "personal_data": "none",
        "indexes": [
            {"fields": ["recheck"], "sparse": True},
            *(
                {"fields": [place], "sparse": True, "name": place.replace(".", "_")}
                for place in ("rules.stale_deals", "applied.stale_deals", "rules.recycling")
            ),
        ],
    }

    def clean(self) -> None:
        """Runs before each save. Raises `InvalidRules`."""
        for name, given in self.rules.items():
            _checked(_section(name), given)
        if self._created or any(map(_is_of_lifecycle, self._get_changed_fields())):
            self.recheck = ObjectId()
        # Even when they are changed back: jobs that ran in between planned by those of then.
        self.applied = {name: {} for name in self.applied}
        self.updated_at = now()

    @classmethod
    def put(cls, workspace_id: ObjectId, rules: Mapping[str, Any]) -> None:
        """Replace all that differs from the defaults. Raises `InvalidRules`; then nothing has changed."""
        given = {name: _plain(name, section) for name, section in rules.items()}
        profile = cls.objects(id=workspace_id).first()
        if profile is None:
            with suppress(NotUniqueError):  # somebody was faster: then it is an update
                cls(id=workspace_id, rules=given).save(force_insert=True)
                return
            profile = cls.objects.get(id=workspace_id)
        profile.rules = given
        profile.save()

    @classmethod
    def of(cls, workspace_id: ObjectId, kind: type[RulesT]) -> RulesT:
        """A workspace's rules of one section, the defaults where it has none. One query by id.

        Raises `InvalidRules` for what another program stored: it is never read as something else.
        """
        found = cls._get_collection().find_one({"_id": workspace_id}, {"rules": 1})
        return _of(found or {}, kind)

    @classmethod
    def of_each(
        cls, workspace_ids: Iterable[ObjectId], kind: type[RulesT]
    ) -> dict[ObjectId, RulesT | InvalidRules]:
        """As `of`, for many workspaces with one query; an error stands in the place of its workspace."""
        ids = list(workspace_ids)
        found = cls._get_collection().find({"_id": {"$in": ids}}, {"rules": 1})
        rows: dict[ObjectId, Any] = {row["_id"]: row for row in found}
        return {each: _or_error(rows.get(each, {}), kind) for each in ids}

    @classmethod
    def recheck_all(cls, workspace_ids: Iterable[ObjectId]) -> None:
        """Let every contact of these workspaces be looked at. One command."""
        change = {"$set": {"recheck": ObjectId()}}
        updates = [UpdateOne({"_id": each}, change, upsert=True) for each in workspace_ids]
        if updates:
            cls._get_collection().bulk_write(updates, ordered=False)

    @classmethod
    def to_recheck(cls) -> dict[ObjectId, ObjectId]:
        """The workspaces whose contacts are all to be looked at, and the change that asks for it.

        One query over all workspaces.
        """
        found = cls._get_collection().find({"recheck": {"$gte": LEAST}}, {"recheck": 1})
        return {row["_id"]: row["recheck"] for row in found}

    @classmethod
    def rechecked(cls, workspace_id: ObjectId, change: ObjectId) -> None:
        """All are marked by now; a later change asks again. Safe to run twice."""
        guard = {"_id": workspace_id, "recheck": change}
        cls._get_collection().update_one(guard, {"$unset": {"recheck": ""}})

    @classmethod
    def in_force(cls, workspace_id: ObjectId, kind: type[RulesT]) -> RulesT:
        """As `of`; in place of an invalid section the defaults, of which the admins are told once."""
        defaults = "Your rules are not used until they are right, but the defaults"
        return cls.if_valid(workspace_id, kind, defaults) or kind()

    @classmethod
    def if_valid(cls, workspace_id: ObjectId, kind: type[RulesT], consequence: str) -> RulesT | None:
        """As `of`; None for an invalid section, of which the admins are told once, with the consequence."""
        try:
            return cls.of(workspace_id, kind)
        except InvalidRules as error:
            digest = hashlib.sha256(str(error).encode()).hexdigest()[:16]
            Notification.notify(
                workspace_id=workspace_id,
                user_id=None,
                kind="rules_invalid",
                message=f"{consequence}: {error}",
                key=f"rules-invalid:{workspace_id}:{kind.section}:{digest}",
            )
            return None

    @classmethod
    def with_own(cls, kind: type[RulesT]) -> dict[ObjectId, RulesT]:
        """The workspaces with rules of their own in a section, without invalid ones. One indexed query."""
        found = cls._get_collection().find({f"rules.{kind.section}": {"$exists": True}}, {"rules": 1})
        checked = {row["_id"]: _or_error(row, kind) for row in found}
        return {each: rules for each, rules in checked.items() if not isinstance(rules, InvalidRules)}

    @classmethod
    def unapplied(cls, kind: type[RulesT]) -> dict[ObjectId, RulesT]:
        """The workspaces whose rules of a section are other than those last applied, and their rules.

        Without invalid ones, which are not applied. Two indexed queries, which find those with rules of their
        own.
        """
        queries = [{f"{place}.{kind.section}": {"$exists": True}} for place in ("rules", "applied")]
        rows = [row for query in queries for row in cls._get_collection().find(query)]
        found: dict[ObjectId, RulesT] = {}
        for row in rows:
            rules = _or_error(row, kind)
            if isinstance(rules, InvalidRules):
                continue
            if rules.model_dump() != row.get("applied", {}).get(kind.section):
                found[row["_id"]] = rules
        return found

    @classmethod
    def mark_applied(cls, rules: Mapping[ObjectId, Rules]) -> None:
        """Records are planned by these rules from now on. One command; safe to run twice."""
        updates = [
            UpdateOne({"_id": each}, {"$set": {f"applied.{new.section}": new.model_dump()}})
            for each, new in rules.items()
        ]
        if updates:
            cls._get_collection().bulk_write(updates, ordered=False)


def _is_of_lifecycle(field: str) -> bool:
    """Whether its change may be one of the lifecycle's rules: theirs, or all."""
    return field.split(".")[:2] in (["rules"], ["rules", LifecycleRules.section])


def _or_error(row: dict[str, Any], kind: type[RulesT]) -> RulesT | InvalidRules:
    try:
        return _of(row, kind)
    except InvalidRules as error:
        return error


def _of(row: dict[str, Any], kind: type[RulesT]) -> RulesT:
    rules = row.get("rules", {})
    if not isinstance(rules, dict):
        raise InvalidRules("rules: must be an object")
    return _checked(kind, rules.get(kind.section, {}))


def _checked(kind: type[RulesT], given: Any) -> RulesT:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise InvalidRules("; ".join(_problem(kind.section, found) for found in problems)) from None


def _section(name: str) -> type[Rules]:
    known = sections()
    if name not in known:
        raise InvalidRules(f"rules.{name}: there is no such section; there are: {', '.join(known)}")
    return known[name]


def _plain(section: str, given: Any) -> dict[str, Any]:
    """As it is stored: by Python's names, without what was left out."""
    return _checked(_section(section), given).model_dump(mode="json", exclude_unset=True)


def _problem(section: str, found: Any) -> str:
    place = ".".join(["rules", section, *map(str, found["loc"])])
    return f"{place}: {found['msg'].removeprefix('Value error, ')}"
