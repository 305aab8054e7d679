"""The conditions of an automation: field, operator, value; all must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Condition:
    field: str  # dotted, like contact.leadScore
    operator: str
    value: Any


def _greater(left: Any, right: Any) -> bool:
    return isinstance(left, int | float) and left > float(right)


def _less(left: Any, right: Any) -> bool:
    return isinstance(left, int | float) and left < float(right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return str(right).lower() in left.lower()
    return isinstance(left, list | tuple) and right in left


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda left, right: left == right,
    "not_equals": lambda left, right: left != right,
    "contains": _contains,
    "greater_than": _greater,
    "less_than": _less,
    "in": lambda left, right: left in right,
    "not_in": lambda left, right: left not in right,
}


def lookup(facts: Mapping[str, Any], field: str) -> Any:
    """The value under a dotted name, or None."""
    value: Any = facts
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def all_hold(conditions: Iterable[Condition], facts: Mapping[str, Any]) -> bool:
    """Whether every condition holds. A field that is missing is None: it equals nothing but null."""
    return all(OPERATORS[c.operator](lookup(facts, c.field), c.value) for c in conditions)
