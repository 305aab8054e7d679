"""A benchmark says plainly what it reached, and fails when that is too little."""

from __future__ import annotations

import json

import pytest

from bench import goals


def test_a_goal_is_reached_at_its_limit() -> None:
    assert goals.at_least("ratio", 40.0, 40).ok
    assert goals.at_most("commands", 9.0, 9).ok


def test_a_goal_is_missed_beyond_its_limit() -> None:
    assert not goals.at_least("ratio", 39.9, 40).ok
    assert not goals.at_most("commands", 9.1, 9).ok


def test_what_could_not_be_measured_is_missed() -> None:
    assert not goals.at_least("ratio", None, 1).ok
    assert not goals.at_most("commands", None, 1).ok


def test_the_report_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    code = goals.report("sample", [goals.at_least("ratio", 2.0, 1)], rounds=3)

    printed = json.loads(capsys.readouterr().out)
    assert code == 0
    assert printed["benchmark"] == "sample"
    assert printed["rounds"] == 3
    assert printed["goals"] == [{"name": "ratio", "value": 2.0, "limit": 1, "better": "at least", "ok": True}]


def test_one_missed_goal_makes_the_exit_code_1() -> None:
    assert goals.report("sample", [goals.at_least("a", 2, 1), goals.at_most("b", 2, 1)]) == 1
