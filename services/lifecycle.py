"""The rules of the lifecycle: which steps of a contact are due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.contact import Stage
from schemas.rules import LifecycleRules

FIRST = "lead"  # also of a contact without a stage


@dataclass(frozen=True)
class Known:
    """What is known of a contact; the first three as the store holds them, whoever wrote them."""

    stage: Any = None
    grade: Any = None
    intent: Any = None
    has_form: bool = False  # one that counts
    has_talk: bool = False  # a call or meeting
    has_deal: bool = False
    has_won: bool = False  # a deal, which has a close date


def due(known: Known, rules: LifecycleRules) -> list[Stage]:
    """The stages that come next, in their order; none from a stage that no rule leads out of."""
    found: list[Stage] = []
    stage = known.stage or FIRST
    while (step := STEPS.get(stage)) and step[1](known, rules):
        stage = step[0]
        found.append(step[0])
    return found


def may_be_due(known: Known, rules: LifecycleRules) -> bool:
    """Whether a step may be due, by what the contact itself says of it."""
    return bool(due(replace(known, has_form=True, has_talk=True, has_deal=True, has_won=True), rules))


def _is_qualified_by_marketing(known: Known, rules: LifecycleRules) -> bool:
    return (
        known.has_form and known.grade in rules.mql_grades and _number(known.intent) > rules.mql_intent_over
    )


def _is_qualified_by_sales(known: Known, rules: LifecycleRules) -> bool:
    return known.has_talk and known.grade in rules.sql_grades


def _has_deal(known: Known, _rules: LifecycleRules) -> bool:
    return known.has_deal


def _has_won(known: Known, _rules: LifecycleRules) -> bool:
    return known.has_won


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0


Rule = Callable[[Known, LifecycleRules], bool]

STEPS: Mapping[Any, tuple[Stage, Rule]] = {
    "lead": ("mql", _is_qualified_by_marketing),
    "mql": ("sql", _is_qualified_by_sales),
    "sql": ("opportunity", _has_deal),
    "opportunity": ("customer", _has_won),
}
