"""`flask business-profile …`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.business_profile import BusinessProfile
from models.workspace import Workspace
from schemas.rules import EnrichmentRules, IntentRules
from tests.web.cli.conftest import Flask_

Json = Callable[..., Any]


@pytest.fixture
def acme(stores: None) -> str:
    return str(Workspace(name="Acme").save().id)


def test_rules_are_set_one_by_one_shown_and_reset(acme: str, flask: Flask_, flask_json: Json) -> None:
    flask_json("business-profile", "set", acme, "intent", "high=90", "points.pageView=2")
    told = flask_json("business-profile", "set", acme, "enrichment", "monthlyCredits=0")
    assert told["rules"] == {
        "intent": {"high": 90, "points": {"pageView": 2}},
        "enrichment": {"monthlyCredits": 0},
    }
    assert BusinessProfile.of(Workspace.objects.get().id, EnrichmentRules).monthly_credits == 0

    shown = flask("business-profile", "show", acme).stdout
    (high,) = [line.split() for line in shown.splitlines() if line.startswith("intent.high")]
    assert high == ["intent.high", "90", "its", "own"]
    assert "intent.medium" in shown

    assert flask_json("business-profile", "reset", acme, "intent")["rules"].keys() == {"enrichment"}
    assert flask_json("business-profile", "reset", acme)["rules"] == {}
    assert BusinessProfile.of(Workspace.objects.get().id, IntentRules) == IntentRules()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "intent", "high=many"), "rules.intent.high: "),
        (("set", "intent", "halfLife=3"), "rules.intent.halfLife: "),
        (("set", "intend", "high=90"), "rules.intend: there is no such section"),
        (("set", "intent", "high"), "high: must be FIELD=VALUE"),
        (("set", "intent", "high=1", "high.x=1"), "intent.high: holds no fields"),
        (("reset", "intent"), "intent: the workspace has no rules of its own there"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_changes_nothing(
    acme: str, flask: Flask_, arguments: tuple[str, ...], message: str
) -> None:
    command, *rest = arguments
    result = flask("business-profile", command, acme, *rest)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert message in result.stderr
    assert BusinessProfile.objects.count() == 0


def test_what_another_program_spoilt_is_told_and_can_be_reset(acme: str, flask: Flask_) -> None:
    spoilt = {"intent": {"medium": "many"}}
    BusinessProfile._get_collection().insert_one({"_id": Workspace.objects.get().id, "rules": spoilt})
    result = flask("business-profile", "show", acme)
    assert "not in force: rules.intent.medium: " in result.stderr
    assert flask("business-profile", "reset", acme, "intent").exit_code == 0


def test_an_unknown_workspace_is_one_line(stores: None, flask: Flask_) -> None:
    result = flask("business-profile", "show", "0" * 24)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
