"""Conditions of automations: each operator, and what a person may have typed wrong."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.trigger import OPERATORS
from services import conditions
from services.conditions import Condition

FACTS = {
    "contact": {"leadScore": 45, "company": "Acme Ltd", "tags": ["vip", "beta"], "phone": None},
    "event": {"source": "form"},
}


def holds(field: str, operator: str, value: Any) -> bool:
    return conditions.all_hold([Condition(field, operator, value)], FACTS)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("event.source", "equals", "form"),
        ("contact.leadScore", "equals", 45),
        ("contact.phone", "equals", None),
        ("contact.nothing", "equals", None),
        ("event.source", "not_equals", "api"),
        ("contact.nothing", "not_equals", "x"),
        ("contact.company", "contains", "acme"),
        ("contact.tags", "contains", "vip"),
        ("contact.leadScore", "greater_than", 44),
        ("contact.leadScore", "greater_than", "44.5"),
        ("contact.leadScore", "less_than", 46),
        ("event.source", "in", ["form", "api"]),
        ("event.source", "not_in", ["manual"]),
        ("contact.nothing", "not_in", ["manual"]),
    ],
)
def test_a_condition_that_is_met_holds(field: str, operator: str, value: Any) -> None:
    assert holds(field, operator, value)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("event.source", "equals", "Form"),
        ("contact.leadScore", "equals", "45"),  # a number is no text
        ("event.source", "not_equals", "form"),
        ("contact.company", "contains", "beta"),
        ("contact.tags", "contains", "vi"),  # a tag as a whole
        ("contact.nothing", "contains", "x"),
        ("contact.leadScore", "greater_than", 45),
        ("contact.company", "greater_than", 1),
        ("contact.nothing", "less_than", 1),
        ("event.source", "in", ["api"]),
        ("event.source", "not_in", ["form"]),
    ],
)
def test_a_condition_that_is_not_met_does_not_hold(field: str, operator: str, value: Any) -> None:
    assert not holds(field, operator, value)


def test_all_conditions_must_hold() -> None:
    met, unmet = Condition("event.source", "equals", "form"), Condition("contact.leadScore", "less_than", 1)

    assert conditions.all_hold([met, met], FACTS)
    assert not conditions.all_hold([met, unmet], FACTS)
    assert conditions.all_hold([], FACTS)


@pytest.mark.parametrize(
    ("operator", "value", "word"),
    [
        ("greater_than", "many", "contact.leadScore"),
        ("less_than", None, "contact.leadScore"),
        ("in", 5, "contact.leadScore"),
        ("not_in", "4567", "contact.leadScore"),  # text would be searched for substrings
        ("resembles", 5, "resembles"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_by_name_and_never_retried(
    operator: str, value: Any, word: str
) -> None:
    with pytest.raises(conditions.BadCondition, match=word) as refusal:
        holds("contact.leadScore", operator, value)

    assert refusal.value.permanent


def test_every_operator_that_can_be_stored_is_known() -> None:
    assert set(OPERATORS) == set(conditions.OPERATORS)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(VALUES, st.sampled_from(sorted(conditions.OPERATORS)), VALUES)
def test_any_fact_and_value_give_an_answer_or_a_refusal(fact: Any, operator: str, value: Any) -> None:
    with contextlib.suppress(conditions.BadCondition):
        assert conditions.all_hold([Condition("fact", operator, value)], {"fact": fact}) in (True, False)
