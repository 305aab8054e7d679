"""Bodies of the public CRM API as they come over the wire: camelCase there, Python's names here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from web.public import fields
from web.public.bodies import Body
from web.public.fields import Day, Email, Id, Label, Line, Moment, PersonFields, Text, Title

MAX_TAGS = 50
MOST_MONEY = 1e15  # beyond it a float no longer holds cents


class Strict(Body):
    """Here an unknown field is refused: it is more likely a mistyped one than a newer client's."""

    model_config = ConfigDict(extra="forbid")

    workspace_id: Id

    def sent(self) -> dict[str, Any]:
        """What was sent, as plain JSON: the same for the same request."""
        return {name: str(value) for name, value in self.model_dump(exclude_none=True).items()}


class ContactFields(Strict):
    first_name: Line = None
    last_name: Line = None
    company: Line = None
    job_title: Line = None
    phone: Line = None
    source: Line = None
    tags: Annotated[list[Label] | None, Field(max_length=MAX_TAGS)] = None
    custom_fields: PersonFields | None = None

    def contact_fields(self) -> dict[str, Any]:
        """By the contact's stored names."""
        return self.model_dump(exclude={"workspace_id", "email"})


class ContactBody(ContactFields):
    email: Email


class ContactChange(ContactFields):
    email: Email | None = None


class Submission(Body):
    fields: Annotated[PersonFields, Field(min_length=1)]
    visitor_id: Annotated[str | None, Field(max_length=128), fields.Storable, fields.Blank] = None


class ActivityBody(Strict):
    """Something that happened with a contact: a call, a meeting, a note."""

    contact_id: Id
    type: Label
    title: Title
    description: Text = None
    properties: PersonFields = {}
    happened_at: Moment | None = None

    def details(self) -> dict[str, Any]:
        described = {"description": self.description} if self.description else {}
        return {**self.properties, **described}


class OpportunityBody(Strict):
    """A chance of business with a contact. It is open: who wins or loses it is not the public side."""

    contact_id: Id
    title: Title
    stage: Line = None
    value: Annotated[float | None, Field(strict=True, ge=0, le=MOST_MONEY, allow_inf_nan=False)] = None
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$"), fields.Blank] = None  # ISO 4217
    expected_close_date: Annotated[Day | None, fields.Blank] = None
    custom_fields: PersonFields | None = None

    def deal_fields(self) -> dict[str, Any]:
        """By the deal's stored names."""
        given = self.model_dump(exclude={"workspace_id", "contact_id", "value"}, exclude_none=True)
        return given if self.value is None else {**given, "amount": self.value}
