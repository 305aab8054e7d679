"""The events' goals are missed when they take effect late, the endpoint is slow, or an event costs more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench import events
from bench.events import Found, Part

HANDLING: Part = {
    "bare": [2.0] * 100,
    "insert": [1.0] * 100,
    "update": [1.0] * 100,
    "effect": [5.0] * 100,
    "events_per_second": 90.0,
}
TRACKING: Part = {
    **{"track": [9.0] * 100, "track_per_second": 300.0},
    **{"healthz": [3.0] * 100, "healthz_per_second": 900.0},
}
COSTS: Part = {
    "page_view": 3,
    "further": 0.0,
    "round_trips": 1,
    "few": {"email.clicked": 9, "contact.updated": 12},
    "many": {"email.clicked": 9, "contact.updated": 11},
}
GOOD = Found([HANDLING] * 3, [TRACKING] * 3, COSTS)


def missed(found: Found) -> list[str]:
    return [goal.name for goal in events.goals(found) if not goal.ok]


def test_all_goals_are_reached_by_what_is_fast_and_cheap() -> None:
    assert missed(GOOD) == []
    assert events.figures(GOOD)["events_per_second"] == 90


@pytest.mark.parametrize(
    ("part", "changed", "goal"),
    [
        ("handling", [{**HANDLING, "effect": [5.0] * 90 + [7.0] * 10}] * 3, "publish to effect"),
        ("tracking", [{**TRACKING, "track": [9.0] * 90 + [13.0] * 10}] * 3, "POST of ten events, p95"),
        ("costs", {**COSTS, "page_view": 7}, "POST of a page view, store commands"),
        ("costs", {**COSTS, "further": 2.1}, "POST of ten, store commands per further"),
        ("costs", {**COSTS, "round_trips": 4}, "POST of ten, Redis round trips"),
        ("costs", {**COSTS, "many": {"email.clicked": 10}}, "store commands of an event"),
    ],
)
def test_one_thing_that_is_slow_or_dear_misses_its_goal(part: str, changed: Any, goal: str) -> None:
    names = missed(replace(GOOD, **{part: changed}))

    assert len(names) == 1
    assert names[0].startswith(goal)


def test_one_disturbed_round_decides_nothing() -> None:
    slow = {**HANDLING, "effect": [500.0] * 100}
    assert missed(replace(GOOD, handling=[HANDLING, slow, HANDLING])) == []
