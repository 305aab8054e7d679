"""What every event has in common, and the register that turns a stored event back into its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from bson import ObjectId
from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def _is_object_id(value: str) -> str:
    if not ObjectId.is_valid(value):
        raise ValueError("must be a 24-digit hexadecimal id")
    return value


Id = Annotated[str, AfterValidator(_is_object_id)]


class UnknownEvent(Exception):
    """No class is registered for this event type and version: deploy one, then requeue the job."""

    permanent = True


class Event(BaseModel):
    """A fact in the past tense. Python names here, camelCase on the wire. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    type: ClassVar[str]
    version: ClassVar[int] = 1

    workspace_id: Id

    @property
    def key(self) -> str | None:
        """What makes the event unique; publishing it again changes nothing. None: each one is new."""
        return None

    def payload(self) -> dict[str, Any]:
        """Plain JSON values, camelCase."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


_classes: dict[tuple[str, int], type[Event]] = {}


def register(kind: type[Event]) -> type[Event]:
    """Class decorator: makes the event decodable by its type and version."""
    if (kind.type, kind.version) in _classes:
        raise ValueError(f"{kind.type} version {kind.version} is registered twice")
    _classes[kind.type, kind.version] = kind
    return kind


def catalogue() -> Mapping[str, type[Event]]:
    """Every event type and its newest class."""
    return {event_type: kind for (event_type, _), kind in sorted(_classes.items())}


def decode(event_type: str, version: int, payload: dict[str, Any]) -> Event:
    """The event of that type and version. Raises `UnknownEvent`, or pydantic's `ValidationError`."""
    if (event_type, version) not in _classes:
        known = sorted(v for t, v in _classes if t == event_type)
        what = f"known versions: {known}" if known else "no such type"
        raise UnknownEvent(f"event {event_type!r} version {version} is unknown here ({what})")
    return _classes[event_type, version].model_validate(payload)
