"""The conditions of an automation: field, operator, value; all must hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Condition:
    field: str  # dotted, like contact.leadScore
    operator: str
    value: Any


@dataclass(frozen=True)
class Verdict:
    """Whether a condition holds, and why, in a sentence."""

    condition: Condition
    fact: Any
    holds: bool
    why: str


class BadCondition(ValueError):
    """A condition makes no sense, so nobody can say whether it holds: correct the automation."""

    permanent = True


def _greater(left: Any, right: Any) -> bool:
    number = float(right)
    return isinstance(left, int | float) and left > number


def _less(left: Any, right: Any) -> bool:
    number = float(right)
    return isinstance(left, int | float) and left < number


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return str(right).lower() in left.lower()
    return isinstance(left, list | tuple) and right in left


def _in(left: Any, right: Any) -> bool:
    if not isinstance(right, list | tuple):
        raise TypeError("the value must be a list")
    return left in right


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda left, right: left == right,
    "not_equals": lambda left, right: left != right,
    "contains": _contains,
    "greater_than": _greater,
    "less_than": _less,
    "in": _in,
    "not_in": lambda left, right: not _in(left, right),
}


def fault(operator: str, value: Any) -> str | None:
    """What is wrong with the value of a known operator; None when nothing is."""
    if operator in ("in", "not_in"):
        return None if isinstance(value, list) else f"must be a list for {operator}"
    if operator in ("greater_than", "less_than"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number else f"must be a number for {operator}"
    if operator == "contains" and not isinstance(value, str | int | float):
        return "must be a text or a number for contains"
    return None


def lookup(facts: Mapping[str, Any], field: str) -> Any:
    """The value under a dotted name, or None."""
    value: Any = facts
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def all_hold(conditions: Iterable[Condition], facts: Mapping[str, Any]) -> bool:
    """Whether every condition holds. A field that is missing is None: it equals nothing but null.

    Raises `BadCondition` naming the field.
    """
    return all(_holds(condition, lookup(facts, condition.field)) for condition in conditions)


def judge(condition: Condition, facts: Mapping[str, Any]) -> Verdict:
    """As `all_hold` would decide about this one, for a person to read. Raises `BadCondition`."""
    fact = lookup(facts, condition.field)
    holds = _holds(condition, fact)
    does = "holds" if holds else "does not hold"
    wanted = f"{condition.operator} {json.dumps(condition.value, ensure_ascii=False)}"
    shown = "empty" if fact is None else json.dumps(fact, ensure_ascii=False, default=str)
    return Verdict(condition, fact, holds, f"{condition.field} is {shown}: {wanted} {does}")


def _holds(condition: Condition, fact: Any) -> bool:
    try:
        return OPERATORS[condition.operator](fact, condition.value)
    except KeyError:
        known = ", ".join(OPERATORS)
        raise BadCondition(
            f"{condition.field}: {condition.operator!r} is no operator; there are {known}"
        ) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise BadCondition(
            f"{condition.field} {condition.operator} {condition.value!r} makes no sense: {error}"
        ) from None
