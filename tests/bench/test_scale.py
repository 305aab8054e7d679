"""Scale is flat only if it was measured at every size, and no figure leaves its fifth."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from bench import processes, scale
from bench.backlog import Backlog, Filled, Turn
from bench.processes import Failed

SIZES = (1_000, 1_000_000)
THROUGHPUT = "throughput, up to 1,000,000 waiting / 1,000, least"
Make = Callable[..., Backlog]


@pytest.fixture
def backlog() -> Make:
    """Makes one whose worker is this very process."""
    worker = cast(Any, SimpleNamespace(process=SimpleNamespace(pid=os.getpid())))
    unused = cast(Any, None)

    def make(waiting: int, *rates: float, each: float = 600.0) -> Backlog:
        turns = [Turn(rate, worker_ms=0.5, redis_ms=0.2) for rate in rates]
        return Backlog(Filled(waiting, each, 10_000.0, unused), worker, unused, turns)

    return make


def missed(*backlogs: Backlog) -> list[str]:
    return [goal.name for goal in scale.goals(backlogs, SIZES) if not goal.ok]


def test_equal_figures_are_flat(backlog: Make) -> None:
    assert missed(backlog(1_000, 900, 1_000), backlog(1_000_000, 880, 990)) == []


def test_throughput_that_falls_by_more_than_a_fifth_is_missed(backlog: Make) -> None:
    assert missed(backlog(1_000, 1_000), backlog(1_000_000, 790)) == [THROUGHPUT]


def test_a_size_in_the_middle_counts_too(backlog: Make) -> None:
    three = [backlog(1_000, 1_000), backlog(10_000, 700), backlog(1_000_000, 1_000)]

    assert [goal.name for goal in scale.goals(three, (1_000, 10_000, 1_000_000)) if not goal.ok] == [
        THROUGHPUT
    ]


def test_a_busy_moment_disturbs_one_round_and_not_the_ratio(backlog: Make) -> None:
    assert missed(backlog(1_000, 1_000, 1_000, 500), backlog(1_000_000, 950, 100, 480)) == []


def test_jobs_that_take_more_memory_the_more_they_are_miss_a_goal(backlog: Make) -> None:
    names = missed(backlog(1_000, 1_000, each=600), backlog(1_000_000, 1_000, each=730))

    assert names == ["Redis' memory per waiting job, most / least"]


def test_no_goal_is_reached_when_a_size_was_skipped(backlog: Make) -> None:
    assert len(missed(backlog(1_000, 1_000))) == len(scale.goals([backlog(1_000, 1_000)], SIZES))


def test_a_size_is_skipped_only_when_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1.5e9))

    assert scale.lack_of_memory(100_000) == ""
    assert "2.0 GB of memory are needed, 1.5 are free" in scale.lack_of_memory(1_000_000)


def test_a_program_is_asked_line_by_line() -> None:
    echo = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
    with processes.answering([sys.executable, "-c", echo], os.environ) as ask:
        assert ask("abc") == "cba"
        assert ask(12) == "21"


def test_a_program_that_ends_without_an_answer_has_failed() -> None:
    with (
        processes.answering([sys.executable, "-c", "input()"], os.environ) as ask,
        pytest.raises(Failed, match="without an answer"),
    ):
        ask(1)
