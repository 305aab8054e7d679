"""What every event has in common, and the register that turns a stored event back into its class.

One class per type, of its newest version. A payload of an older version is lifted to the newest one by
upcasters, so a consumer knows one shape only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from bson import ObjectId
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


def _is_object_id(value: str) -> str:
    if not ObjectId.is_valid(value):
        raise ValueError("must be a 24-digit hexadecimal id")
    return value.lower()  # as the store writes it: one record has one name


def _as_stored(moment: datetime) -> datetime:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # in UTC it lies before the year 1, or after 9999
        raise ValueError("must be a time of the years 1 to 9999") from None
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


Id = Annotated[str, AfterValidator(_is_object_id), Field(json_schema_extra={"pattern": "^[0-9a-fA-F]{24}$"})]
# In UTC, to the millisecond, which is what the store keeps: read back from there it is still the same.
Moment = Annotated[AwareDatetime, AfterValidator(_as_stored)]
# What brought the event about, such as `event:<id>` or `decay:<date>`. The same occasion twice is one event.
Occasion = Annotated[str, Field(min_length=1, max_length=200)]

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]


def key_of(event_type: str, workspace_id: object, *parts: object) -> str:
    """The key of the event of that type whose `unique_by` has these values."""
    return ":".join(map(str, (event_type, workspace_id, *parts)))


class UnknownEvent(Exception):
    """No class is registered for this event type and version: deploy one, then replay the event."""

    permanent = True


class Event(BaseModel):
    """A fact in the past tense. Python names here, camelCase on the wire. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    type: ClassVar[str]
    version: ClassVar[int] = 1
    unique_by: ClassVar[tuple[str, ...]] = ()  # fields; none: each event of the type is new
    about: ClassVar[tuple[str, ...]] = ()  # fields; the first that is given names the event's record
    passing: ClassVar[tuple[str, ...]] = ()  # lists that the ledger drops when the event is done

    workspace_id: Id

    @property
    def key(self) -> str | None:
        """What makes the event unique; publishing it again changes nothing. None: each one is new.

        It holds the workspace, so that nobody takes the key of what is another's by naming it.
        """
        if not self.unique_by:
            return None
        return key_of(self.type, self.workspace_id, *map(self._text, self.unique_by))

    @property
    def subject(self) -> str | None:
        """The record whose events are handled in the order of their publication, like `contact:<id>`, after
        the workspace: none holds up another's. None: the event is about no record, and waits for no other.
        """
        given = (field for field in self.about if getattr(self, field) is not None)
        found = (f"{field.removesuffix('_id')}:{getattr(self, field)}" for field in given)
        return next((f"{self.workspace_id}:{record}" for record in found), None)

    def payload(self) -> Payload:
        """Plain JSON values, camelCase."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def _text(self, field: str) -> str:
        value = getattr(self, field)
        return value.isoformat() if isinstance(value, datetime) else str(value)


_classes: dict[str, type[Event]] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


def register(kind: type[Event]) -> type[Event]:
    """Class decorator: makes the event decodable by its type."""
    if kind.type in _classes:
        raise ValueError(f"{kind.type} is registered twice: an older version is an upcaster, not a class")
    _classes[kind.type] = kind
    return kind


def upcasts(event_type: str, version: int) -> Callable[[Upcaster], Upcaster]:
    """Decorator: the function lifts a payload of that version to the next one.

    It gets a copy, and may change it. Whoever makes version 2 of an event changes the class, adds the
    upcaster of version 1 beside it, and leaves the golden file of version 1 alone.
    """

    def add(function: Upcaster) -> Upcaster:
        if (event_type, version) in _upcasters:
            raise ValueError(f"two upcasters lift {event_type} version {version}")
        _upcasters[event_type, version] = function
        return function

    return add


def is_passing(event_type: str) -> bool:
    """Whether the ledger drops what such an event carries when it is done."""
    kind = _classes.get(event_type)
    return bool(kind and kind.passing)


def catalogue() -> Mapping[str, type[Event]]:
    """Every event type and its class, in the order of their definition."""
    return MappingProxyType(_classes)


def versions(event_type: str) -> list[int]:
    """The versions of a type that can be decoded, the oldest first; none: there is no such type."""
    if event_type not in _classes:
        return []
    newest = _classes[event_type].version
    return [v for v in range(1, newest + 1) if _is_liftable(event_type, v, newest)]


def decode(event_type: str, version: int, payload: Payload) -> Event:
    """The event of that type and version. Raises `UnknownEvent`, or pydantic's `ValidationError`."""
    if version not in (known := versions(event_type)):
        what = f"known versions: {known}" if known else "no such type"
        raise UnknownEvent(f"event {event_type!r} version {version} is unknown here ({what})")
    kind = _classes[event_type]
    for old in range(version, kind.version):
        payload = _upcasters[event_type, old](dict(payload))
    return kind.model_validate(payload)


def _is_liftable(event_type: str, version: int, newest: int) -> bool:
    return all((event_type, old) in _upcasters for old in range(version, newest))
