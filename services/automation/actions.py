"""What an automation can do: each action with its fields, as they come over the wire and as they are stored.

The fields that `texts` names may use variables like {{contact.firstName}}, filled when the action is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from schemas.event import Id
from services import merge_fields, public_address, webhook
from services.automation.values import Name, Scalar

Line = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Value = Annotated[str, Field(min_length=1, max_length=256)]
Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=50)]


def _url(url: str) -> str:
    if "{{" in url:
        raise ValueError("must not hold variables: what a contact typed must not choose where we send")
    try:
        webhook.check(url)
    except (webhook.WebhookRefused, public_address.PrivateAddress) as error:
        raise ValueError(str(error)) from None
    return url


class Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True
    )


class Action(Part):
    texts: ClassVar[tuple[str, ...]] = ()
    needs_contact: ClassVar[bool] = False

    type: str

    def templates(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Every text that may use variables, after its place in wire names."""
        for name in self.texts:
            yield from _walk((to_camel(name),), getattr(self, name))

    def rendered(self, facts: Mapping[str, Any]) -> Self:
        """With the variables filled. Raises `merge_fields.CannotRender`."""
        given = [name for name in self.texts if name in self.model_fields_set]
        return self.model_copy(update={name: _filled(getattr(self, name), facts) for name in given})

    def wire(self) -> dict[str, Any]:
        """Plain JSON values, camelCase, without what was not given."""
        return {"type": self.type, **self.model_dump(mode="json", by_alias=True, exclude_unset=True)}


class Notify(Action):
    """Tell a member; by default the contact's owner, or without one every admin."""

    texts = ("message",)

    type: Literal["notify"] = "notify"
    message: Line
    user_id: Id | None = None


class CreateTask(Action):
    """A task for a member; by default for the contact's owner."""

    texts = ("title",)

    type: Literal["create_task"] = "create_task"
    title: Line
    assigned_to: Id | None = None


class SendEmail(Action):
    """A mail to the contact; by default from its owner's mailbox."""

    texts = ("subject", "body")
    needs_contact = True

    type: Literal["send_email"] = "send_email"
    subject: Line
    body: Text
    account_id: Id | None = None


class Webhook(Action):
    """A signed POST with the event, its contact and `data`."""

    texts = ("data",)

    type: Literal["webhook"] = "webhook"
    url: Annotated[str, Field(max_length=2_000), AfterValidator(_url)]
    data: Annotated[dict[Name, Annotated[str, Field(max_length=2_000)]], Field(max_length=50)] = {}


class ContactFields(Part):
    first_name: Value | None = None
    last_name: Value | None = None
    company: Value | None = None
    job_title: Value | None = None
    phone: Value | None = None
    status: Literal["lead", "contact", "customer", "lost", "unqualified", "recycled"] | None = None
    lifecycle_stage: (
        Literal["subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist"] | None
    ) = None
    assigned_to: Id | None = None
    custom_fields: Annotated[dict[Name, Scalar], Field(max_length=50)] = {}


class UpdateContact(Action):
    """Set fields of the contact, add tags and take tags away."""

    texts = ("fields",)
    needs_contact = True

    type: Literal["update_contact"] = "update_contact"
    fields: ContactFields = ContactFields()
    add_tags: Tags = []
    remove_tags: Tags = []

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not (self.changes() or self.add_tags or self.remove_tags):
            raise ValueError("must set a field, or add or remove a tag")
        return self

    def changes(self) -> dict[str, Any]:
        """The fields to set, by the contact's stored names. An empty text, of a fallback, blanks nothing."""
        given = self.fields.model_dump()
        return {name: value for name, value in given.items() if value not in (None, "", {})}

    def rendered(self, facts: Mapping[str, Any]) -> Self:
        """Raises `merge_fields.CannotRender`, too, when a field cannot hold what the variables made of it."""
        filled = super().rendered(facts)
        wire = filled.fields.model_dump(by_alias=True, exclude_unset=True)
        try:
            ContactFields.model_validate({name: value for name, value in wire.items() if value != ""})
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, ("fields", *fault["loc"])))
            raise merge_fields.CannotRender(f"{place}: {fault['msg']}") from None
        return filled


class EnrollInSequence(Action):
    """Enrol the contact, unless it is in the sequence already."""

    needs_contact = True

    type: Literal["enroll_in_sequence"] = "enroll_in_sequence"
    sequence_id: Id


AnyAction = Notify | CreateTask | SendEmail | Webhook | UpdateContact | EnrollInSequence
KINDS: dict[str, type[AnyAction]] = {
    kind.model_fields["type"].default: kind
    for kind in (SendEmail, CreateTask, Webhook, UpdateContact, EnrollInSequence, Notify)
}


def parse(stored: Mapping[str, Any]) -> AnyAction:
    """The action of a stored one. Raises pydantic's `ValidationError`, KeyError for an unknown type."""
    wire = current(stored)
    return KINDS[wire["type"]].model_validate(wire)


def current(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored action in wire form, even when it was stored before automations had an API."""
    if "kind" in stored:
        place = "message" if stored["kind"] == "notify" else "title"
        return {"type": stored["kind"], place: stored["text"]}
    return dict(stored)


def _walk(place: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Part):
        for name in type(value).model_fields:
            yield from _walk((*place, to_camel(name)), getattr(value, name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _walk((*place, name), item)


def _filled(value: Any, facts: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return merge_fields.render(value, facts)
    if isinstance(value, Part):
        given = {name: getattr(value, name) for name in value.model_fields_set}
        return value.model_copy(update={name: _filled(item, facts) for name, item in given.items()})
    if isinstance(value, dict):
        return {name: _filled(item, facts) for name, item in value.items()}
    return value
