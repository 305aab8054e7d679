"""An automation as a workspace gives it to us: validated whole, each fault with the path of its field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

import schemas.event
from services import conditions, merge_fields
from services.automation import actions, fields
from services.automation.actions import Action, Part
from services.automation.values import ScalarOrList

MOST_CONDITIONS = 20
MOST_ACTIONS = 10

Place = tuple[str | int, ...]


def _event_type(name: str) -> str:
    known = schemas.event.catalogue()
    if name not in known:
        raise ValueError(f"unknown event type {name!r}{fields.did_you_mean(name, known)}")
    return name


def _operator(name: str) -> str:
    if name not in conditions.OPERATORS:
        raise ValueError(f"unknown operator {name!r}; there are {', '.join(conditions.OPERATORS)}")
    return name


def _action(given: Any) -> Action:
    if isinstance(given, Action):
        return given
    if not isinstance(given, dict):
        raise ValueError("must be an object")
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in actions.KINDS:
        fault = "is required" if kind is None else f"unknown action {kind!r:.60}"
        raise _faults("Action", [(("type",), f"{fault}; there are {', '.join(actions.KINDS)}")])
    return actions.KINDS[kind].model_validate(given)


Named = Annotated[str, Field(max_length=100)]


class Condition(Part):
    field: Named
    operator: Annotated[Named, AfterValidator(_operator)]
    value: ScalarOrList

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if fault := conditions.fault(self.operator, self.value):
            raise _faults("Condition", [(("value",), fault)])
        return self


class Definition(Part):
    """What `POST /api/workspaces/:id/triggers` takes."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    event_type: Annotated[Named, AfterValidator(_event_type)]
    conditions: Annotated[list[Condition], Field(max_length=MOST_CONDITIONS)] = []
    actions: Annotated[
        list[Annotated[Action, PlainValidator(_action), PlainSerializer(lambda action: action.wire())]],
        Field(min_length=1, max_length=MOST_ACTIONS),
    ]
    is_active: bool = True
    max_runs_per_minute: Annotated[int | None, Field(ge=1, le=100_000)] = None

    @model_validator(mode="after")
    def _fields_exist(self) -> Self:
        if found := list(self._unknown()):
            raise _faults("Definition", found)
        return self

    def _unknown(self) -> Iterator[tuple[Place, str]]:
        known = fields.of(self.event_type)
        for place, condition in enumerate(self.conditions):
            if not known.has(condition.field):
                fault = f"{self.event_type} has no field {condition.field!r}{known.guess(condition.field)}"
                yield ("conditions", place, "field"), fault
        for place, action in enumerate(self.actions):
            if action.needs_contact and not known.have_contact:
                yield ("actions", place, "type"), f"{self.event_type} has no contact for {action.type}"
            for where, text in action.templates():
                for fault in _variables(text, known, self.event_type):
                    yield ("actions", place, *where), fault


def _variables(text: str, known: fields.Fields, event_type: str) -> Iterator[str]:
    for name in merge_fields.names(text):
        if not known.has(name):
            yield f"{event_type} has no variable {name!r:.60}{known.guess(name)}"
    if merge_fields.has_stray_braces(text):
        yield "holds {{ that begins no variable; write one like {{contact.firstName}}"


def _faults(title: str, found: list[tuple[Place, str]]) -> ValidationError:
    """Faults of a whole as pydantic reports those of its fields, each with its place."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError("automation", "{fault}", {"fault": fault}), loc=place, input=None
        )
        for place, fault in found
    ]
    return ValidationError.from_exception_data(title, lines)
