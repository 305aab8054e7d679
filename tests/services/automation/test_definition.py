"""What was accepted works: no saved automation makes no sense at the moment it is needed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services import conditions
from services.automation import actions
from services.automation.definition import Condition, Definition
from services.merge_fields import MissingField

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
OPERATORS = st.sampled_from([*conditions.OPERATORS, "resembles"])


def accepted(operator: str, value: Any) -> bool:
    try:
        Condition.model_validate({"field": "fact", "operator": operator, "value": value})
    except ValidationError:
        return False
    return True


@given(OPERATORS, JSON, JSON)
def test_a_condition_that_was_accepted_gives_an_answer_for_every_fact(
    operator: str, value: Any, fact: Any
) -> None:
    if accepted(operator, value):
        condition = conditions.Condition("fact", operator, value)
        verdict = conditions.judge(condition, {"fact": fact})
        assert verdict.holds == conditions.all_hold([condition], {"fact": fact})
        assert verdict.why.startswith("fact is ")


@given(st.sampled_from(sorted(conditions.OPERATORS)), SCALARS | st.lists(SCALARS, max_size=3))
def test_what_is_refused_is_what_could_never_hold(operator: str, value: Any) -> None:
    """Refused values are of the wrong kind for the operator, or no value that can be stored."""
    if not accepted(operator, value) and conditions.fault(operator, value) is None:
        items = value if isinstance(value, list) else [value]
        assert any(
            (isinstance(item, float) and (item != item or abs(item) == float("inf")))
            or (isinstance(item, int) and abs(item) >= 2**63)
            or (isinstance(item, str) and any("\ud800" <= char <= "\udfff" for char in item))
            for item in items
        )


@given(st.text(max_size=60), st.text(max_size=20))
def test_a_text_that_was_accepted_can_be_filled_or_names_the_empty_field(text: str, name: str) -> None:
    given_ = {
        "name": "x",
        "eventType": "contact.created",
        "actions": [{"type": "notify", "message": text + "{{contact.firstName}}" + name}],
    }
    try:
        (action,) = Definition.model_validate(given_).actions
    except ValidationError:
        return
    facts: dict[str, Any] = {"contact": {"firstName": "Ada"}, "event": {}}
    with suppress(MissingField):  # the random text happened to hold another variable
        filled = action.rendered(facts)
        assert isinstance(filled, actions.Notify)
        assert "Ada" in filled.message


@given(st.dictionaries(st.sampled_from(["name", "eventType", "conditions", "actions", "isActive"]), JSON))
def test_anything_is_accepted_or_refused_and_breaks_nothing(body: dict[str, Any]) -> None:
    with suppress(ValidationError):
        assert Definition.model_validate(body).actions


def test_an_action_survives_the_store() -> None:
    wire = {"type": "webhook", "url": "https://host.example/", "data": {"a": "{{contact.email}}"}}
    assert actions.parse(json.loads(json.dumps(actions.parse(wire).wire()))).wire() == wire
