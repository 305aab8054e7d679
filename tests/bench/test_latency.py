"""The latency's goals are missed when a start is late, early, or measured without the load."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from bench import latency, latency_retries, latency_starts
from bench.latency import Found, Part
from bench.processes import Failed
from queues.connection import redis

ROUND: Part = {"rate": 1_000.0, "pace": 1.0, "idle": [3.0] * 99 + [80.0], "load": [5.0] * 100}
GOOD = Found([ROUND] * 3, {"starts": [4.0, 9.0], "waits": [0.0]}, {"starts": [5.0], "enqueues": [2.0]})


def missed(found: Found) -> list[str]:
    return [goal.name for goal in latency.goals(found) if not goal.ok]


def test_all_goals_are_reached_when_jobs_start_in_time() -> None:
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("part", "changed", "goal"),
    [
        ("starts", [{**ROUND, "idle": [51.0] * 100}] * 3, "idle"),
        ("starts", [{**ROUND, "load": [5.0] * 90 + [60.0] * 10}] * 3, "half load: enqueue"),
        ("starts", [{**ROUND, "pace": 0.9}] * 3, "half load: pace"),
        ("retries", {"starts": [4.0, 101.0], "waits": [0.0]}, "retry: start"),
        ("retries", {"starts": [-101.0, 4.0], "waits": [0.0]}, "retry: start"),
        ("retries", {"starts": [4.0], "waits": [150.0]}, "retry: due time"),
        ("ticks", {"starts": [5.0, -120.0], "enqueues": [2.0]}, "tick"),
    ],
)
def test_one_kind_of_delay_misses_its_goal(part: str, changed: Any, goal: str) -> None:
    names = missed(replace(GOOD, **{part: changed}))

    assert len(names) == 1
    assert names[0].startswith(goal)


def test_a_retrys_distance_is_from_its_due_time_and_its_wait_from_the_policy() -> None:
    late, off = latency_retries.distances([10.0, 11.02, 16.0], [11.0, 16.01])

    assert late == pytest.approx([20, -10])
    assert off == pytest.approx([0, 0])


def test_a_wait_outside_the_policys_jitter_counts() -> None:
    assert latency_retries.beyond(0.8, 1) == latency_retries.beyond(1.2, 1) == 0
    assert latency_retries.beyond(0.7, 1) == pytest.approx(0.1)
    assert latency_retries.beyond(6.5, 5) == pytest.approx(0.5)


def test_a_retry_that_is_missing_fails_the_benchmark() -> None:
    with pytest.raises(Failed):
        latency_retries.distances([10.0, 11.0], [11.0])


def test_a_due_time_that_is_seen_twice_counts_once_though_the_clocks_drift(
    clean_redis: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis().zadd("rq:scheduled:crm-events", {"job": time.time() + 60})
    dues: latency_retries.Dues = defaultdict(dict)
    latency_retries.look(dues)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 0.002)  # set by as much in between

    latency_retries.look(dues)

    assert len(dues["job"]) == 1


def test_arrivals_come_at_the_planned_rate_and_unevenly() -> None:
    random.seed(1)
    came = list(latency_starts.arrivals(1_000, seconds=5))
    gaps = [after - before for before, after in pairwise(came)]

    assert len(came) == pytest.approx(5_000, rel=0.05)
    assert came == sorted(came)
    assert came[-1] < 5
    assert max(gaps) > 3 * sum(gaps) / len(gaps)
