"""What an action knows of the run that it belongs to, and what it says of its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bson import ObjectId

from models.event import EventRecord
from models.store import object_id
from models.trigger_run import TriggerRun

KEY = re.compile(r"automation-([0-9a-f]{24}-[0-9a-f]{24})-(\d+)")


@dataclass(frozen=True)
class Outcome:
    status: str  # done, skipped, or failed where trying again cannot help
    note: str  # for the run's history


@dataclass(frozen=True)
class Step:
    run: TriggerRun
    place: int  # of the action in the automation
    name: str  # of the automation
    record: EventRecord  # the event
    facts: dict[str, Any]  # what variables stand for

    @property
    def key(self) -> str:
        """Unique: automation, event and place."""
        return key_of(self.run.id, self.place)

    @property
    def caused(self) -> dict[str, Any]:
        """For the events that the action publishes: one automation deeper than what set it off."""
        return {
            "correlation_id": self.run.correlation_id,
            "causation_id": str(self.run.event_id),
            "depth": self.run.depth + 1,
        }

    @property
    def workspace_id(self) -> ObjectId:
        workspace_id: ObjectId = self.run.workspace_id
        return workspace_id

    @cached_property
    def contact_id(self) -> ObjectId | None:
        return object_id(self.facts["contact"].get("id"))

    @cached_property
    def owner_id(self) -> ObjectId | None:
        return owner_of(self.facts)


def key_of(run_id: str, place: int) -> str:
    return f"automation-{run_id}-{place}"


def of_key(key: str) -> tuple[str, int] | None:
    """The run and the place whose key it is; None: it is no step's."""
    found = KEY.fullmatch(key)
    return (found[1], int(found[2])) if found else None


def owner_of(facts: dict[str, Any]) -> ObjectId | None:
    """Of the contact, or else of the deal."""
    found = (object_id(facts[what].get("assignedTo")) for what in ("contact", "deal"))
    return next((owner for owner in found if owner), None)
