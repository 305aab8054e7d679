"""Which fields conditions and texts may refer to, by the type of the event. `models/facts.py` fills them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import get_args, get_origin

import schemas.event

CONTACT = (
    "id",
    "email",
    "firstName",
    "lastName",
    "company",
    "companyId",
    "jobTitle",
    "phone",
    "status",
    "lifecycleStage",
    "source",
    "tags",
    "leadScore",
    "leadGrade",
    "intentScore",
    "assignedTo",
)
DEAL = ("id", "title", "stage", "status", "assignedTo")


@dataclass(frozen=True)
class Fields:
    """`names` as they are; under each of `prefixes` any name, since a workspace makes up its own."""

    names: frozenset[str]
    prefixes: tuple[str, ...]

    @property
    def have_contact(self) -> bool:
        return "contact.id" in self.names

    def has(self, name: str) -> bool:
        return name in self.names or any(
            name.startswith(prefix) and len(name) > len(prefix) for prefix in self.prefixes
        )

    def guess(self, name: str) -> str:
        """What was meant, as the end of a message; empty when nothing is near."""
        return did_you_mean(name, self.names)


@cache
def of(event_type: str) -> Fields:
    """The fields of the newest version of an event type, which must be in the catalogue."""
    fields = schemas.event.catalogue()[event_type].model_fields.values()
    payload = {f"event.{field.alias}": field.annotation for field in fields}
    names, prefixes = {"event.type"}, []
    for name, annotation in payload.items():
        if _is_open(annotation):
            prefixes.append(f"{name}.")
        else:
            names.add(name)
    if "event.contactId" in names:
        names.update(f"contact.{name}" for name in CONTACT)
        prefixes.append("contact.customFields.")
    if "event.dealId" in names:
        names.update(f"deal.{name}" for name in DEAL)
    return Fields(frozenset(names), tuple(prefixes))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _is_open(annotation: object) -> bool:
    """Whether the field is an object with names that the schema does not know."""
    return get_origin(annotation) is dict or any(get_origin(part) is dict for part in get_args(annotation))
