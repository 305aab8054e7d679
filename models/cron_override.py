"""What an operator changed about an entry of the cron table: it outlives deploys, restarts and Redis."""

from __future__ import annotations

from typing import Any

from mongoengine import BooleanField, DateTimeField, Document, StringField

from models.store import now

CHANGEABLE = ("cron", "time_zone", "enabled")


class CronOverride(Document):
    """One per entry. A field that is not set leaves what the code says."""

    id = StringField(primary_key=True)  # the entry's name
    cron = StringField()
    time_zone = StringField()
    enabled = BooleanField()
    changed_by = StringField()
    changed_at = DateTimeField()
    reason = StringField()  # why it was changed
    paused_by = StringField()
    paused_at = DateTimeField()  # None: not paused
    pause_reason = StringField()

    meta = {
        "collection": "cron_overrides",
        "auto_create_index": False,
        "personal_data": "none",
        "strict": False,
        "indexes": [],
    }

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that say something else than the code."""
        return {name: value for name in CHANGEABLE if (value := getattr(self, name)) is not None}

    @classmethod
    def all(cls) -> dict[str, CronOverride]:
        """By the entry's name."""
        return {override.id: override for override in cls.objects}

    @classmethod
    def of(cls, entry: str) -> CronOverride | None:
        found: CronOverride | None = cls.objects(id=entry).first()
        return found

    @classmethod
    def change(cls, entry: str, by: str, reason: str, **changes: Any) -> None:
        """Override some of CHANGEABLE; the others stay as they are."""
        fields = {f"set__{name}": value for name, value in changes.items()}
        cls.objects(id=entry).update_one(
            upsert=True, set__changed_by=by, set__changed_at=now(), set__reason=reason, **fields
        )

    @classmethod
    def reset(cls, entry: str, by: str) -> bool:
        """Back to what the code says; a pause stays. False: there was no change."""
        if not (override := cls.of(entry)) or not override.changes:
            return False
        fields = {f"unset__{name}": True for name in (*CHANGEABLE, "reason")}
        cls.objects(id=entry).update_one(set__changed_by=by, set__changed_at=now(), **fields)
        return True

    @classmethod
    def pause(cls, entry: str, by: str, reason: str) -> None:
        """Skip its ticks until somebody resumes it."""
        cls.objects(id=entry).update_one(
            upsert=True, set__paused_by=by, set__paused_at=now(), set__pause_reason=reason
        )

    @classmethod
    def resume(cls, entry: str) -> bool:
        """False: it was not paused."""
        paused = cls.objects(id=entry, paused_at__exists=True)
        return bool(paused.update_one(unset__paused_by=True, unset__paused_at=True, unset__pause_reason=True))
