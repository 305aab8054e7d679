"""Bodies of the tracking API as they come over the wire: camelCase there, Python's names here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.visits import Visit
from web.public import fields
from web.public.fields import (
    Email,
    Id,
    Json,
    Key,
    Label,
    Line,
    Moment,
    Name,
    Properties,
    Text,
    WebAddress,
)

MAX_EVENTS = 100  # in one batch


class Body(BaseModel):
    """The CRM's own fields are refused by name. Other unknown ones are dropped: clients change."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _refuse_forbidden(cls, given: Any) -> Any:
        names = [name for name in given if fields.is_forbidden(name)] if isinstance(given, dict) else []
        if names:
            never = PydanticCustomError("forbidden", fields.NEVER)
            errors = [InitErrorDetails(type=never, loc=(name,), input=None) for name in names]
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return given


class Batch(Body):
    """Its events are validated one by one: a bad one must not lose the others."""

    events: Annotated[list[Any], Field(min_length=1, max_length=MAX_EVENTS)]


class Device(Body):
    user_agent: Text = None
    screen: Line = None
    language: Line = None
    timezone: Line = None


def _given(device: Device) -> dict[str, Any]:
    return {name: value for name, value in device if value is not None}


class TrackedEvent(Visit, Body):
    """A visit as strangers send it. Once validated it is one, so none of its fields is looked at twice."""

    model_config = ConfigDict(populate_by_name=False)

    workspace_id: Id
    visitor_id: Label
    session_id: Label
    event_type: Label  # page_view, button_click, …; any other string is a custom type
    event_name: Label
    url: WebAddress
    happened_at: Moment = Field(alias="timestamp")
    referrer: Text = None
    properties: Properties = Field(default_factory=dict)
    device: Annotated[Device, AfterValidator(_given)] = Field(default_factory=dict)  # type: ignore[assignment]  # becomes the object
    utm: Annotated[dict[Key, Line], Field(max_length=20)] = Field(default_factory=dict)
    sdk_version: Line = None


class Person(Body):
    """What a page knows of its visitor; fields that the CRM has not become custom fields."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Name, Json]

    first_name: Line = None
    last_name: Line = None
    company: Line = None
    phone: Line = None
    title: Line = None

    @model_validator(mode="after")
    def _few(self) -> Person:
        if len(self.model_extra or {}) > fields.ITEMS:
            raise ValueError(f"must have at most {fields.ITEMS} fields")
        return self

    def contact_fields(self) -> dict[str, Any]:
        """By the contact's stored names."""
        known = self.model_dump(include=set(Person.model_fields) - {"title"})
        return {**known, "job_title": self.title, "custom_fields": self.model_extra or None}


class Identity(Body):
    workspace_id: Id
    visitor_id: Label
    email: Email
    properties: Person = Person()


class Consent(Body):
    """The visitor's answer. Other categories than `analytics` are not ours to keep."""

    analytics: StrictBool


class ConsentGiven(Body):
    workspace_id: Id
    visitor_id: Label
    consent: Consent
